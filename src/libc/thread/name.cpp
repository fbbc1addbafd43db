// SPDX-License-Identifier: BSD-3-Clause
// Names of threads: those that the scheduler's listings and a panic show.
#include "libc/thread/thread.hpp"

#include <cerrno>
#include <string_view>

namespace {

constexpr std::size_t longest = 15;  // Linux's limit, for which programs are written

}  // namespace

extern "C" {

int pthread_setname_np(pthread_t thread, const char* name) noexcept {
    const std::string_view text{name};
    if (text.size() > longest)
        return ERANGE;
    halvm::libc::task_of(thread).set_name(text);
    return 0;
}

int pthread_getname_np(pthread_t thread, char* into, std::size_t size) noexcept {
    const std::string_view name = halvm::libc::task_of(thread).name();
    if (size <= name.size())
        return ERANGE;
    into[name.copy(into, name.size())] = '\0';
    return 0;
}
}
