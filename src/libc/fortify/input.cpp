// SPDX-License-Identifier: BSD-3-Clause
#include "libc/fortify/overflow.hpp"

#include <poll.h>
#include <unistd.h>

#include <csetjmp>
#include <cstdio>
#include <cstring>

using halvm::libc::check_room;

extern "C" {

[[noreturn]] void __chk_fail() noexcept { halvm::core::panic("a checked call would write past its buffer"); }

char* __fgets_chk(char* into, std::size_t room, int size, std::FILE* stream) {
    check_room(static_cast<std::size_t>(size), room, "fgets");
    return std::fgets(into, size, stream);
}

char* __fgets_unlocked_chk(char* into, std::size_t room, int size, std::FILE* stream) {
    check_room(static_cast<std::size_t>(size), room, "fgets_unlocked");
    return std::fgets(into, size, stream);
}

std::size_t __fread_chk(void* into, std::size_t room, std::size_t size, std::size_t count, std::FILE* stream) {
    std::size_t bytes;
    if (__builtin_mul_overflow(size, count, &bytes))
        bytes = SIZE_MAX;
    check_room(bytes, room, "fread");
    return std::fread(into, size, count, stream);
}

std::size_t __fread_unlocked_chk(void* into, std::size_t room, std::size_t size, std::size_t count, std::FILE* stream) {
    return __fread_chk(into, room, size, count, stream);
}

ssize_t __read_chk(int descriptor, void* into, std::size_t size, std::size_t room) {
    check_room(size, room, "read");
    return read(descriptor, into, size);
}

int __poll_chk(pollfd* list, nfds_t count, int timeout, std::size_t room) {
    check_room(count * sizeof *list, room, "poll");
    return poll(list, count, timeout);
}

// FD_SET: which word of a set of 1024 a descriptor is in.
long __fdelt_chk(long descriptor) {
    check_room(static_cast<std::size_t>(descriptor) + 1, 1024, "FD_SET");
    return descriptor / 64;
}

// glibc's also refuses to jump down the stack, which is how programs that switch stacks by longjmp() jump.
[[noreturn]] void __longjmp_chk(std::jmp_buf environment, int value) { std::longjmp(environment, value); }
}
