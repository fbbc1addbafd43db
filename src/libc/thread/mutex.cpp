// SPDX-License-Identifier: BSD-3-Clause
// pthread mutexes, in glibc's layout, which PTHREAD_MUTEX_INITIALIZER and std::mutex have compiled in.
#include "libc/thread/deadline.hpp"
#include "libc/thread/self.hpp"

#include <pthread.h>

#include <cerrno>

namespace {

using halvm::libc::own_tid;

int kind(const pthread_mutex_t* mutex) noexcept { return mutex->__data.__kind & 3; }

bool held(const pthread_mutex_t* mutex) noexcept { return mutex->__data.__lock != 0; }

bool own(const pthread_mutex_t* mutex) noexcept { return held(mutex) && mutex->__data.__owner == own_tid(); }

/// Takes a free mutex, or a recursive one again.
bool take(pthread_mutex_t* mutex) noexcept {
    if (!held(mutex)) {
        mutex->__data.__lock = 1;
        mutex->__data.__owner = own_tid();
        return true;
    }
    if (kind(mutex) != PTHREAD_MUTEX_RECURSIVE || !own(mutex))
        return false;
    ++mutex->__data.__count;
    return true;
}

}  // namespace

extern "C" {

int pthread_mutex_init(pthread_mutex_t* mutex, const pthread_mutexattr_t* attributes) noexcept {
    *mutex = {};
    if (attributes != nullptr)
        mutex->__data.__kind = attributes->__align & 3;
    return 0;
}

int pthread_mutex_destroy(pthread_mutex_t* mutex) noexcept { return held(mutex) ? EBUSY : 0; }

int pthread_mutex_trylock(pthread_mutex_t* mutex) noexcept { return take(mutex) ? 0 : EBUSY; }

int pthread_mutex_lock(pthread_mutex_t* mutex) noexcept {
    if (take(mutex))
        return 0;
    if (own(mutex) && kind(mutex) == PTHREAD_MUTEX_ERRORCHECK)
        return EDEADLK;
    halvm::libc::wait_for_ever("pthread_mutex_lock",
                               own(mutex) ? "the caller holds the mutex" : "nobody unlocks the mutex");
}

int pthread_mutex_clocklock(pthread_mutex_t* mutex, clockid_t clock, const timespec* deadline) noexcept {
    if (take(mutex))
        return 0;
    if (own(mutex) && kind(mutex) == PTHREAD_MUTEX_ERRORCHECK)
        return EDEADLK;
    return halvm::libc::sleep_until(clock, *deadline);
}

int pthread_mutex_timedlock(pthread_mutex_t* mutex, const timespec* deadline) noexcept {
    return pthread_mutex_clocklock(mutex, CLOCK_REALTIME, deadline);
}

int pthread_mutex_unlock(pthread_mutex_t* mutex) noexcept {
    if (kind(mutex) != PTHREAD_MUTEX_NORMAL && !own(mutex))
        return EPERM;
    if (mutex->__data.__count != 0) {
        --mutex->__data.__count;
    } else {
        mutex->__data.__lock = 0;
        mutex->__data.__owner = 0;
    }
    return 0;
}
}
