// SPDX-License-Identifier: BSD-3-Clause
// pthread read-write locks, in glibc's layout: readers are counted, the writer is its tid.
#include "libc/thread/deadline.hpp"
#include "libc/thread/self.hpp"

#include <pthread.h>

#include <cerrno>

namespace {

constexpr const char* nobody = "the lock is held and nobody unlocks it";

bool written(const pthread_rwlock_t* lock) noexcept { return lock->__data.__cur_writer != 0; }

bool written_by_caller(const pthread_rwlock_t* lock) noexcept {
    return lock->__data.__cur_writer == halvm::libc::own_tid();
}

}  // namespace

extern "C" {

int pthread_rwlock_init(pthread_rwlock_t* lock, const pthread_rwlockattr_t*) noexcept {
    *lock = {};
    return 0;
}

int pthread_rwlock_destroy(pthread_rwlock_t* lock) noexcept {
    return written(lock) || lock->__data.__readers != 0 ? EBUSY : 0;
}

int pthread_rwlock_tryrdlock(pthread_rwlock_t* lock) noexcept {
    if (written(lock))
        return EBUSY;
    ++lock->__data.__readers;
    return 0;
}

int pthread_rwlock_trywrlock(pthread_rwlock_t* lock) noexcept {
    if (written(lock) || lock->__data.__readers != 0)
        return EBUSY;
    lock->__data.__cur_writer = halvm::libc::own_tid();
    return 0;
}

int pthread_rwlock_rdlock(pthread_rwlock_t* lock) noexcept {
    if (pthread_rwlock_tryrdlock(lock) == 0)
        return 0;
    if (written_by_caller(lock))
        return EDEADLK;
    halvm::libc::wait_for_ever("pthread_rwlock_rdlock", nobody);
}

int pthread_rwlock_wrlock(pthread_rwlock_t* lock) noexcept {
    if (pthread_rwlock_trywrlock(lock) == 0)
        return 0;
    if (written_by_caller(lock))
        return EDEADLK;
    halvm::libc::wait_for_ever("pthread_rwlock_wrlock", nobody);
}

int pthread_rwlock_clockrdlock(pthread_rwlock_t* lock, clockid_t clock, const timespec* deadline) noexcept {
    if (pthread_rwlock_tryrdlock(lock) == 0)
        return 0;
    return written_by_caller(lock) ? EDEADLK : halvm::libc::sleep_until(clock, *deadline);
}

int pthread_rwlock_clockwrlock(pthread_rwlock_t* lock, clockid_t clock, const timespec* deadline) noexcept {
    if (pthread_rwlock_trywrlock(lock) == 0)
        return 0;
    return written_by_caller(lock) ? EDEADLK : halvm::libc::sleep_until(clock, *deadline);
}

int pthread_rwlock_timedrdlock(pthread_rwlock_t* lock, const timespec* deadline) noexcept {
    return pthread_rwlock_clockrdlock(lock, CLOCK_REALTIME, deadline);
}

int pthread_rwlock_timedwrlock(pthread_rwlock_t* lock, const timespec* deadline) noexcept {
    return pthread_rwlock_clockwrlock(lock, CLOCK_REALTIME, deadline);
}

int pthread_rwlock_unlock(pthread_rwlock_t* lock) noexcept {
    if (written_by_caller(lock)) {
        lock->__data.__cur_writer = 0;
    } else if (lock->__data.__readers != 0) {
        --lock->__data.__readers;
    } else {
        return EPERM;
    }
    return 0;
}
}
