// SPDX-License-Identifier: BSD-3-Clause
// The lock that musl's objects put around their lists: exit functions, open streams. fflush(nullptr) waits for the
// console with the list of streams locked, so that others must wait for the list.
#include "libc/thread/parking.hpp"

namespace {

enum : int { open = 0, held = 1, wanted = 2 };

const void* key(const volatile int* lock) noexcept { return const_cast<const int*>(lock); }

}  // namespace

extern "C" {

void __lock(volatile int* lock) {
    if (*lock == open) {
        *lock = held;
    } else {
        *lock = wanted;
        halvm::libc::park(key(lock), "the C library's lock");
    }
}

void __unlock(volatile int* lock) {
    if (halvm::libc::parked* const next = *lock == wanted ? halvm::libc::first_parked(key(lock)) : nullptr)
        halvm::libc::unpark(*next);
    else
        *lock = open;
}
}
