// SPDX-License-Identifier: BSD-3-Clause
// pthread spin locks. musl's would spin on a held lock for ever.
#include "libc/thread/self.hpp"

#include <pthread.h>

#include <cerrno>

extern "C" {

int pthread_spin_trylock(pthread_spinlock_t* lock) noexcept {
    if (*lock != 0)
        return EBUSY;
    *lock = 1;
    return 0;
}

int pthread_spin_lock(pthread_spinlock_t* lock) noexcept {
    if (pthread_spin_trylock(lock) != 0)
        halvm::libc::wait_for_ever("pthread_spin_lock", "nobody unlocks the lock");
    return 0;
}
}
