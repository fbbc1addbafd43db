// SPDX-License-Identifier: BSD-3-Clause
// syscall(), for the one system call that libstdc++'s headers and objects make by its number: the futex under
// std::atomic's wait and the guards of static objects. There is one thread, so nobody is ever woken.
#include "core/panic.hpp"
#include "libc/time/timespec.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>

namespace {

constexpr int command_mask = ~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);

long fail(int error) noexcept {
    errno = error;
    return -1;
}

long futex(const int* word, int operation, int value, const timespec* deadline) noexcept {
    const int command = operation & command_mask;
    if (command == FUTEX_WAKE)
        return 0;
    if (command != FUTEX_WAIT && command != FUTEX_WAIT_BITSET)
        return fail(ENOSYS);
    if (*word != value)
        return fail(EAGAIN);
    if (deadline == nullptr)
        halvm::core::panic("an atomic wait would never end: there is no other thread to wake it");
    // FUTEX_WAIT counts from now, FUTEX_WAIT_BITSET says when.
    const bool absolute = command == FUTEX_WAIT_BITSET;
    const bool wall = (operation & FUTEX_CLOCK_REALTIME) != 0;
    const int error =
        clock_nanosleep(wall ? CLOCK_REALTIME : CLOCK_MONOTONIC, absolute ? TIMER_ABSTIME : 0, deadline, nullptr);
    return fail(error != 0 ? error : ETIMEDOUT);
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
    const timespec* const deadline = va_arg(arguments, const timespec*);
    va_end(arguments);
    return futex(word, operation, value, deadline);
}
