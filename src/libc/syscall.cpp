// SPDX-License-Identifier: BSD-3-Clause
// syscall(), for the one system call that libstdc++ makes by its number.
#include "core/panic.hpp"
#include "libc/thread/futex.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <cstdarg>

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
    return halvm::libc::futex(word, operation, value, time);
}
