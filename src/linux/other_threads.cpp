// SPDX-License-Identifier: BSD-3-Clause
// What glibc can do with a thread of the system, and nobody with a fiber. A fiber's pthread_t is none of glibc's, which
// would take it for a pointer to its own record; so these come here first.
#include "interposed.hpp"
#include "libc/thread/thread.hpp"

#include <halvm/panic.hpp>

#include <sched.h>

#include <cerrno>

namespace libc = halvm::libc;

namespace {

/// The C library's function of that name, for the one fiber that it knows as a thread: the first.
template <class... Arguments>
int of_system(const char* name, pthread_t thread, Arguments... arguments) noexcept {
    if (thread != halvm_scheduler_thread)
        return ESRCH;
    return reinterpret_cast<int (*)(pthread_t, Arguments...)>(halvm_system_function(name))(thread, arguments...);
}

}  // namespace

void libc::forget_attributes(pthread_attr_t* attributes) noexcept {
    reinterpret_cast<int (*)(pthread_attr_t*)>(halvm_system_function("pthread_attr_destroy"))(attributes);
}

extern "C" {

int halvm_own_pthread_kill(pthread_t thread, int signal) noexcept { return of_system("pthread_kill", thread, signal); }

int halvm_own_pthread_getcpuclockid(pthread_t thread, clockid_t* clock) noexcept {
    return of_system("pthread_getcpuclockid", thread, clock);
}

int halvm_own_pthread_getaffinity_np(pthread_t thread, std::size_t size, cpu_set_t* set) noexcept {
    return of_system("pthread_getaffinity_np", thread, size, set);
}

int halvm_own_pthread_setaffinity_np(pthread_t thread, std::size_t size, const cpu_set_t* set) noexcept {
    return of_system("pthread_setaffinity_np", thread, size, set);
}

int halvm_own_pthread_getschedparam(pthread_t thread, int* policy, sched_param* parameters) noexcept {
    return of_system("pthread_getschedparam", thread, policy, parameters);
}

int halvm_own_pthread_setschedparam(pthread_t thread, int policy, const sched_param* parameters) noexcept {
    return of_system("pthread_setschedparam", thread, policy, parameters);
}

/// Where a fiber's stack is, too, for those who look for its end.
int halvm_own_pthread_getattr_np(pthread_t thread, pthread_attr_t* attributes) noexcept {
    if (thread == halvm_scheduler_thread)
        return of_system("pthread_getattr_np", thread, attributes);
    const auto& one = libc::task_of(thread);
    pthread_attr_init(attributes);
    auto& found = *reinterpret_cast<libc::thread_attributes*>(attributes);
    found.stack_end = one.stack.base + one.stack.size;
    found.stack = one.stack.size;
    found.guard = one.stack.guarded ? libc::standard_guard : 0;
    found.detached = one.released;
    return 0;
}

[[noreturn]] void halvm_own_pthread_exit(void*) noexcept {
    halvm::panic("pthread_exit() was called: a fiber ends when its function returns");
}

int halvm_own_pthread_cancel(pthread_t) noexcept {
    halvm::panic("pthread_cancel() was called: a fiber is asked to stop by a std::stop_token");
}
}
