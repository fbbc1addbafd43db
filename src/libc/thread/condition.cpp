// SPDX-License-Identifier: BSD-3-Clause
// pthread condition variables. The clock of pthread_condattr_setclock() is kept where glibc's layout keeps it; the
// first of `__g_refs` counts those that wait.
#include "libc/thread/parking.hpp"

#include <pthread.h>

namespace libc = halvm::libc;

namespace {

constexpr unsigned monotonic_flag = 2;

unsigned& waiting(pthread_cond_t* condition) noexcept { return condition->__data.__g_refs[0]; }

/// Fibers switch only where they wait, so nobody signals between the unlocking and the waiting.
int wait(pthread_cond_t* condition, pthread_mutex_t* mutex, const libc::deadline& until) {
    if (!until.valid())
        return EINVAL;
    if (const int error = pthread_mutex_unlock(mutex); error != 0)
        return error;
    const int error = libc::park_counted(waiting(condition), condition, "condition variable", until);
    if (const int lost = pthread_mutex_lock(mutex); lost != 0)  // its owner ended meanwhile
        return lost;
    return error == EAGAIN ? 0 : error;
}

}  // namespace

extern "C" {

int pthread_cond_init(pthread_cond_t* condition, const pthread_condattr_t* attributes) noexcept {
    *condition = {};
    if (attributes == nullptr)
        return 0;
    clockid_t clock = CLOCK_REALTIME;
    pthread_condattr_getclock(attributes, &clock);
    if (clock == CLOCK_MONOTONIC)
        condition->__data.__wrefs = monotonic_flag;
    return 0;
}

int pthread_cond_destroy(pthread_cond_t* condition) noexcept { return waiting(condition) != 0 ? EBUSY : 0; }

int pthread_cond_signal(pthread_cond_t* condition) noexcept {
    if (libc::parked* const next = libc::next_of(waiting(condition), condition))
        libc::unpark(*next);
    return 0;
}

int pthread_cond_broadcast(pthread_cond_t* condition) noexcept {
    while (libc::parked* const next = libc::next_of(waiting(condition), condition))
        libc::unpark(*next);
    return 0;
}

int pthread_cond_wait(pthread_cond_t* condition, pthread_mutex_t* mutex) { return wait(condition, mutex, {}); }

int pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t clock, const timespec* until) {
    return wait(condition, mutex, {clock, *until});
}

int pthread_cond_timedwait(pthread_cond_t* condition, pthread_mutex_t* mutex, const timespec* until) {
    const bool monotonic = (condition->__data.__wrefs & monotonic_flag) != 0;
    return wait(condition, mutex, {monotonic ? CLOCK_MONOTONIC : CLOCK_REALTIME, *until});
}
}
