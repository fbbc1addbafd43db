// SPDX-License-Identifier: BSD-3-Clause
// Names of threads: those that the scheduler's listings and a panic show.
#include "libc/thread/thread.hpp"

#include <halvm/fiber/scheduler.hpp>

#include <cerrno>
#include <string_view>

namespace {

namespace fiber = halvm::fiber;

constexpr std::size_t longest = 15;  // Linux's limit, for which programs are written

/// The fiber behind a thread; null for another than the caller that pthread_create() did not make.
fiber::task* task_of(pthread_t thread) noexcept {
    return thread == pthread_self() ? &fiber::this_scheduler().current() : halvm::libc::thread_of(thread);
}

}  // namespace

extern "C" {

int pthread_setname_np(pthread_t thread, const char* name) noexcept {
    const std::string_view text{name};
    if (text.size() > longest)
        return ERANGE;
    fiber::task* const one = task_of(thread);
    if (one == nullptr)
        return ESRCH;
    one->set_name(text);
    return 0;
}

int pthread_getname_np(pthread_t thread, char* into, std::size_t size) noexcept {
    const fiber::task* const one = task_of(thread);
    if (one == nullptr)
        return ESRCH;
    const std::string_view name = one->name();
    if (size <= name.size())
        return ERANGE;
    into[name.copy(into, name.size())] = '\0';
    return 0;
}
}
