// SPDX-License-Identifier: BSD-3-Clause
#include "libc/thread/futex.hpp"

#include "libc/thread/parking.hpp"

#include <linux/futex.h>

namespace libc = halvm::libc;

namespace {

constexpr int command_mask = ~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);

long fail(int error) noexcept {
    errno = error;
    return -1;
}

long wait(const int* word, int value, const libc::deadline& until) noexcept {
    while (*word == value) {
        const int error = libc::park(word, "atomic", until);
        if (error == 0)
            return 0;
        if (error != EAGAIN)
            return fail(error);
    }
    return fail(EAGAIN);
}

}  // namespace

long libc::futex(const int* word, int operation, int value, const timespec* time) noexcept {
    const bool wall = (operation & FUTEX_CLOCK_REALTIME) != 0;
    switch (operation & command_mask) {
    case FUTEX_WAKE: return static_cast<long>(libc::unpark_all(word, value < 0 ? 0 : static_cast<unsigned>(value)));
    // FUTEX_WAIT counts from now, FUTEX_WAIT_BITSET says when.
    case FUTEX_WAIT: return wait(word, value, time == nullptr ? libc::deadline{} : libc::deadline::after(*time));
    case FUTEX_WAIT_BITSET:
        return wait(
            word, value,
            time == nullptr ? libc::deadline{} : libc::deadline{wall ? CLOCK_REALTIME : CLOCK_MONOTONIC, *time});
    default: return fail(ENOSYS);
    }
}
