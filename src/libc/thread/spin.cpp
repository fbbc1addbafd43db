// SPDX-License-Identifier: BSD-3-Clause
// pthread spin locks. On one processor nobody gives a lock up while another spins, so they wait as mutexes do.
#include "libc/thread/parking.hpp"

#include <pthread.h>

namespace libc = halvm::libc;

namespace {

enum : int { open = 0, held = 1, wanted = 2 };

}  // namespace

extern "C" {

int pthread_spin_init(pthread_spinlock_t* lock, int) noexcept {
    *lock = open;
    return 0;
}

int pthread_spin_destroy(pthread_spinlock_t*) noexcept { return 0; }

int pthread_spin_trylock(pthread_spinlock_t* lock) noexcept {
    if (*lock != open)
        return EBUSY;
    *lock = held;
    libc::happens_after(const_cast<const int*>(lock));
    return 0;
}

int pthread_spin_lock(pthread_spinlock_t* lock) noexcept {
    if (pthread_spin_trylock(lock) == 0)
        return 0;
    *lock = wanted;
    libc::park(const_cast<const int*>(lock), "spin lock");
    libc::happens_after(const_cast<const int*>(lock));
    return 0;
}

int pthread_spin_unlock(pthread_spinlock_t* lock) noexcept {
    libc::happens_before(const_cast<const int*>(lock));
    libc::parked* const next = *lock == wanted ? libc::first_parked(const_cast<const int*>(lock)) : nullptr;
    if (next != nullptr)
        libc::unpark(*next);
    else
        *lock = open;
    return 0;
}
}
