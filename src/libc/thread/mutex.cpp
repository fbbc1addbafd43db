// SPDX-License-Identifier: BSD-3-Clause
// pthread mutexes, in glibc's layout, which PTHREAD_MUTEX_INITIALIZER and std::mutex have compiled in. A mutex goes to
// the fiber that has waited longest; `__nusers` counts those that wait.
#include "libc/thread/parking.hpp"
#include "libc/thread/robust.hpp"

#include <pthread.h>

namespace libc = halvm::libc;

namespace halvm::libc {

constinit const robust_table* robust = nullptr;

}  // namespace halvm::libc

namespace {

int kind(const pthread_mutex_t* mutex) noexcept { return mutex->__data.__kind & 3; }

bool held(const pthread_mutex_t* mutex) noexcept { return mutex->__data.__lock != 0; }

bool own(const pthread_mutex_t* mutex) noexcept { return held(mutex) && mutex->__data.__owner == libc::own_tid(); }

/// Takes a free mutex, or a recursive one again.
bool take(pthread_mutex_t* mutex) noexcept {
    if (!held(mutex)) {
        libc::happens_after(mutex);
        mutex->__data.__lock = 1;
        mutex->__data.__owner = libc::own_tid();
        return true;
    }
    if (kind(mutex) != PTHREAD_MUTEX_RECURSIVE || !own(mutex))
        return false;
    ++mutex->__data.__count;
    return true;
}

/// A caller that holds a normal mutex waits for itself, which the scheduler reports.
int lock(pthread_mutex_t* mutex, const libc::deadline& until) noexcept {
    if (libc::is_robust(mutex))
        return libc::robust->lock(mutex, until);
    while (!take(mutex)) {
        if (kind(mutex) == PTHREAD_MUTEX_ERRORCHECK && own(mutex))
            return EDEADLK;
        if (const int error = libc::park_counted(mutex->__data.__nusers, mutex, "mutex", until); error != EAGAIN) {
            if (error == 0)
                libc::happens_after(mutex);
            return error;
        }
    }
    return 0;
}

}  // namespace

extern "C" {

int pthread_mutex_init(pthread_mutex_t* mutex, const pthread_mutexattr_t* attributes) noexcept {
    *mutex = {};
    if (attributes != nullptr)
        mutex->__data.__kind =
            (attributes->__align & 3) | ((attributes->__align & libc::robust_attribute) != 0 ? libc::robust_kind : 0);
    return 0;
}

int pthread_mutex_destroy(pthread_mutex_t* mutex) noexcept { return held(mutex) ? EBUSY : 0; }

int pthread_mutex_trylock(pthread_mutex_t* mutex) noexcept {
    if (libc::is_robust(mutex))
        return libc::robust->try_lock(mutex);
    return take(mutex) ? 0 : EBUSY;
}

int pthread_mutex_lock(pthread_mutex_t* mutex) noexcept { return lock(mutex, {}); }

int pthread_mutex_clocklock(pthread_mutex_t* mutex, clockid_t clock, const timespec* until) noexcept {
    return lock(mutex, {clock, *until});
}

int pthread_mutex_timedlock(pthread_mutex_t* mutex, const timespec* until) noexcept {
    return lock(mutex, {CLOCK_REALTIME, *until});
}

int pthread_mutex_unlock(pthread_mutex_t* mutex) noexcept {
    if (libc::is_robust(mutex))
        return libc::robust->unlock(mutex);
    if (kind(mutex) != PTHREAD_MUTEX_NORMAL && !own(mutex))
        return EPERM;
    if (mutex->__data.__count != 0) {
        --mutex->__data.__count;
        return 0;
    }
    libc::happens_before(mutex);
    if (libc::parked* const next = libc::next_of(mutex->__data.__nusers, mutex)) {
        mutex->__data.__owner = next->tid;
        libc::unpark(*next);
    } else {
        mutex->__data.__lock = 0;
        mutex->__data.__owner = 0;
    }
    return 0;
}
}
