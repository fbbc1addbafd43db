// SPDX-License-Identifier: BSD-3-Clause
// Robust mutexes. Those that are held are in one list, in which the end of a fiber looks for its own.
#include "libc/thread/robust.hpp"

#include "libc/exit_hooks.hpp"
#include "libc/thread/parking.hpp"

#include <cstddef>
#include <utility>

namespace libc = halvm::libc;

namespace halvm::libc {
namespace {

// In `__spins`, which only glibc's adaptive mutexes use.
enum condition : short {
    sound,
    orphaned,      // the owner ended; the next to lock it is told
    inconsistent,  // that one has it, and has not said yet that all is well again
    lost,          // it was unlocked without that: nobody gets it any more
};

using link = __pthread_internal_list;
constinit link all{&all, &all};

link& link_of(pthread_mutex_t* mutex) noexcept { return mutex->__data.__list; }

pthread_mutex_t* mutex_of(link* one) noexcept {
    return reinterpret_cast<pthread_mutex_t*>(reinterpret_cast<std::byte*>(one) -
                                              offsetof(pthread_mutex_t, __data.__list));
}

bool own(const pthread_mutex_t* mutex) noexcept {
    return mutex->__data.__lock != 0 && mutex->__data.__owner == own_tid();
}

/// The caller has just become the owner.
int keep(pthread_mutex_t* mutex) noexcept {
    link& here = link_of(mutex);
    here = {all.__prev, &all};
    all.__prev = all.__prev->__next = &here;
    if (mutex->__data.__spins != orphaned)
        return 0;
    mutex->__data.__spins = inconsistent;
    return EOWNERDEAD;
}

/// To the one who has waited longest, or to nobody.
void pass_on(pthread_mutex_t* mutex) noexcept {
    link& here = link_of(mutex);
    here.__prev->__next = here.__next;
    here.__next->__prev = here.__prev;
    if (parked* const next = next_of(mutex->__data.__nusers, mutex)) {
        mutex->__data.__owner = next->tid;
        unpark(*next);
    } else {
        mutex->__data.__lock = 0;
        mutex->__data.__owner = 0;
    }
}

int try_lock(pthread_mutex_t* mutex) noexcept {
    auto& data = mutex->__data;
    if (data.__spins == lost)
        return ENOTRECOVERABLE;
    if (data.__lock == 0) {
        data.__lock = 1;
        data.__owner = own_tid();
        return keep(mutex);
    }
    if ((data.__kind & 3) != PTHREAD_MUTEX_RECURSIVE || !own(mutex))
        return EBUSY;
    ++data.__count;
    return 0;
}

int lock(pthread_mutex_t* mutex, const deadline& until) noexcept {
    for (;;) {
        if (const int error = try_lock(mutex); error != EBUSY)
            return error;
        if ((mutex->__data.__kind & 3) == PTHREAD_MUTEX_ERRORCHECK && own(mutex))
            return EDEADLK;
        const int error = park_counted(mutex->__data.__nusers, mutex, "mutex", until);
        if (error == 0)
            return mutex->__data.__spins == lost ? ENOTRECOVERABLE : keep(mutex);
        if (error != EAGAIN)
            return error;
    }
}

int unlock(pthread_mutex_t* mutex) noexcept {
    auto& data = mutex->__data;
    if (!own(mutex))
        return EPERM;
    if (data.__count != 0) {
        --data.__count;
        return 0;
    }
    if (data.__spins == inconsistent) {
        data.__spins = lost;
        while (parked* const next = next_of(data.__nusers, mutex))
            unpark(*next);
    }
    pass_on(mutex);
    return 0;
}

constexpr robust_table table{try_lock, lock, unlock};

}  // namespace

void orphan_mutexes() noexcept {
    for (link* one = all.__next; one != &all;) {
        pthread_mutex_t* const mutex = mutex_of(std::exchange(one, one->__next));
        if (!own(mutex))
            continue;
        mutex->__data.__count = 0;
        mutex->__data.__spins = orphaned;
        pass_on(mutex);
    }
}

}  // namespace halvm::libc

extern "C" {

int pthread_mutexattr_setrobust(pthread_mutexattr_t* attributes, int wanted) noexcept {
    if (wanted != PTHREAD_MUTEX_STALLED && wanted != PTHREAD_MUTEX_ROBUST)
        return EINVAL;
    attributes->__align &= ~libc::robust_attribute;
    if (wanted == PTHREAD_MUTEX_ROBUST) {
        attributes->__align |= libc::robust_attribute;
        libc::robust = &libc::table;
    }
    return 0;
}

int pthread_mutexattr_getrobust(const pthread_mutexattr_t* attributes, int* wanted) noexcept {
    *wanted = (attributes->__align & libc::robust_attribute) != 0 ? PTHREAD_MUTEX_ROBUST : PTHREAD_MUTEX_STALLED;
    return 0;
}

int pthread_mutex_consistent(pthread_mutex_t* mutex) noexcept {
    if (!libc::is_robust(mutex) || !libc::own(mutex) || mutex->__data.__spins != libc::inconsistent)
        return EINVAL;
    mutex->__data.__spins = libc::sound;
    return 0;
}
}
