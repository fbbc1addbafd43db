// SPDX-License-Identifier: BSD-3-Clause
// pthread read-write locks, in glibc's layout: readers are counted, the writer is its tid, `__writers` counts all that
// wait. A reader goes behind a writer that waits, so that no stream of readers keeps a writer out; POSIX leaves that
// open. It means that to read-lock again what one has read-locked already is not safe.
#include "libc/thread/parking.hpp"

#include <pthread.h>

namespace libc = halvm::libc;

namespace {

enum mode : int { reading, writing };

unsigned& waiting(pthread_rwlock_t* lock) noexcept { return lock->__data.__writers; }

bool written(const pthread_rwlock_t* lock) noexcept { return lock->__data.__cur_writer != 0; }

bool written_by_caller(const pthread_rwlock_t* lock) noexcept { return lock->__data.__cur_writer == libc::own_tid(); }

bool free_for(const pthread_rwlock_t* lock, int wanted) noexcept {
    return !written(lock) && (wanted == reading || lock->__data.__readers == 0);
}

void give(pthread_rwlock_t* lock, int wanted, int tid) noexcept {
    if (wanted == reading)
        ++lock->__data.__readers;
    else
        lock->__data.__cur_writer = tid;
}

/// Lets those in that can be: a writer, or the readers up to the next writer.
void admit(pthread_rwlock_t* lock) noexcept {
    while (libc::parked* const next = waiting(lock) == 0 ? nullptr : libc::first_parked(lock)) {
        if (!free_for(lock, next->mode))
            return;
        give(lock, next->mode, next->tid);
        --waiting(lock);
        libc::unpark(*next);
    }
}

int try_take(pthread_rwlock_t* lock, int wanted) noexcept {
    if (!free_for(lock, wanted))
        return EBUSY;
    give(lock, wanted, libc::own_tid());
    libc::happens_after(lock);
    return 0;
}

int take(pthread_rwlock_t* lock, int wanted, const libc::deadline& until = {}) noexcept {
    if (written_by_caller(lock))
        return EDEADLK;
    for (;;) {
        if ((waiting(lock) == 0 || libc::first_parked(lock) == nullptr) && try_take(lock, wanted) == 0)
            return 0;
        const int error = libc::park_counted(waiting(lock), lock, "read-write lock", until, wanted);
        // A writer that gives up was perhaps all that kept readers behind it.
        if (error != 0)
            admit(lock);
        else
            libc::happens_after(lock);
        if (error != EAGAIN)
            return error;
    }
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

int pthread_rwlock_tryrdlock(pthread_rwlock_t* lock) noexcept { return try_take(lock, reading); }

int pthread_rwlock_trywrlock(pthread_rwlock_t* lock) noexcept { return try_take(lock, writing); }

int pthread_rwlock_rdlock(pthread_rwlock_t* lock) noexcept { return take(lock, reading); }

int pthread_rwlock_wrlock(pthread_rwlock_t* lock) noexcept { return take(lock, writing); }

int pthread_rwlock_clockrdlock(pthread_rwlock_t* lock, clockid_t clock, const timespec* until) noexcept {
    return take(lock, reading, {clock, *until});
}

int pthread_rwlock_clockwrlock(pthread_rwlock_t* lock, clockid_t clock, const timespec* until) noexcept {
    return take(lock, writing, {clock, *until});
}

int pthread_rwlock_timedrdlock(pthread_rwlock_t* lock, const timespec* until) noexcept {
    return take(lock, reading, {CLOCK_REALTIME, *until});
}

int pthread_rwlock_timedwrlock(pthread_rwlock_t* lock, const timespec* until) noexcept {
    return take(lock, writing, {CLOCK_REALTIME, *until});
}

int pthread_rwlock_unlock(pthread_rwlock_t* lock) noexcept {
    if (written_by_caller(lock)) {
        lock->__data.__cur_writer = 0;
    } else if (lock->__data.__readers != 0) {
        --lock->__data.__readers;
    } else {
        return EPERM;
    }
    libc::happens_before(lock);
    admit(lock);
    return 0;
}
}
