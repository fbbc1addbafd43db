// SPDX-License-Identifier: BSD-3-Clause
// syscall(), for the one system call that libstdc++'s headers and objects make by its number: the futex under
// std::atomic's wait, semaphores, futures, and the guards of static objects.
#include "core/panic.hpp"
#include "libc/thread/parking.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdarg>

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

long futex(const int* word, int operation, int value, const timespec* time) noexcept {
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

}  // namespace

extern "C" long syscall(long number, ...) noexcept {
    if (number != SYS_futex) {
        halvm::core::panic("system call %ld was made: there is no operating system under halvm", number);
    }
    std::va_list arguments;
    va_start(arguments, number);
    const int* const word = va_arg(arguments, const int*);
    const int operation = va_arg(arguments, int);
    const int value = va_arg(arguments, int);
    const timespec* const time = va_arg(arguments, const timespec*);
    va_end(arguments);
    return futex(word, operation, value, time);
}
