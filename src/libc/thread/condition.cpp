// SPDX-License-Identifier: BSD-3-Clause
// pthread condition variables. With one thread nobody signals while it waits: a wait with a deadline lasts until then,
// one without ends in a panic. The clock of pthread_condattr_setclock() is kept where glibc's layout keeps it.
#include "libc/thread/deadline.hpp"
#include "libc/thread/self.hpp"

#include <pthread.h>

#include <cerrno>

namespace {

constexpr unsigned monotonic_flag = 2;

}  // namespace

extern "C" {

int pthread_cond_init(pthread_cond_t* condition, const pthread_condattr_t* attributes) noexcept {
    *condition = {};
    if (attributes == nullptr)
        return 0;
    // musl's pthread_condattr_setclock() keeps the clock in the low bits.
    if ((attributes->__align & 0x7fffffff) == CLOCK_MONOTONIC)
        condition->__data.__wrefs = monotonic_flag;
    return 0;
}

int pthread_cond_destroy(pthread_cond_t*) noexcept { return 0; }

int pthread_cond_signal(pthread_cond_t*) noexcept { return 0; }

int pthread_cond_broadcast(pthread_cond_t*) noexcept { return 0; }

int pthread_cond_wait(pthread_cond_t*, pthread_mutex_t*) {
    halvm::libc::wait_for_ever("pthread_cond_wait", "there is no other thread to signal the condition");
}

int pthread_cond_clockwait(pthread_cond_t*, pthread_mutex_t* mutex, clockid_t clock, const timespec* deadline) {
    pthread_mutex_unlock(mutex);
    const int error = halvm::libc::sleep_until(clock, *deadline);
    pthread_mutex_lock(mutex);
    return error;
}

int pthread_cond_timedwait(pthread_cond_t* condition, pthread_mutex_t* mutex, const timespec* deadline) {
    const bool monotonic = (condition->__data.__wrefs & monotonic_flag) != 0;
    return pthread_cond_clockwait(condition, mutex, monotonic ? CLOCK_MONOTONIC : CLOCK_REALTIME, deadline);
}
}
