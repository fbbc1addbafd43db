// SPDX-License-Identifier: BSD-3-Clause
#include "libc/fortify/overflow.hpp"

#include <cstring>

using halvm::libc::check_room;

extern "C" {

void* __memcpy_chk(void* to, const void* from, std::size_t size, std::size_t room) noexcept {
    check_room(size, room, "memcpy");
    return std::memcpy(to, from, size);
}

void* __memmove_chk(void* to, const void* from, std::size_t size, std::size_t room) noexcept {
    check_room(size, room, "memmove");
    return std::memmove(to, from, size);
}

void* __mempcpy_chk(void* to, const void* from, std::size_t size, std::size_t room) noexcept {
    check_room(size, room, "mempcpy");
    return mempcpy(to, from, size);
}

void* __memset_chk(void* to, int value, std::size_t size, std::size_t room) noexcept {
    check_room(size, room, "memset");
    return std::memset(to, value, size);
}

void __explicit_bzero_chk(void* to, std::size_t size, std::size_t room) noexcept {
    check_room(size, room, "explicit_bzero");
    explicit_bzero(to, size);
}

char* __strcpy_chk(char* to, const char* from, std::size_t room) noexcept {
    check_room(std::strlen(from) + 1, room, "strcpy");
    return std::strcpy(to, from);
}

char* __stpcpy_chk(char* to, const char* from, std::size_t room) noexcept {
    check_room(std::strlen(from) + 1, room, "stpcpy");
    return stpcpy(to, from);
}

char* __strncpy_chk(char* to, const char* from, std::size_t size, std::size_t room) noexcept {
    check_room(size, room, "strncpy");
    return std::strncpy(to, from, size);
}

char* __stpncpy_chk(char* to, const char* from, std::size_t size, std::size_t room) noexcept {
    check_room(size, room, "stpncpy");
    return stpncpy(to, from, size);
}

char* __strcat_chk(char* to, const char* from, std::size_t room) noexcept {
    check_room(strnlen(to, room) + std::strlen(from) + 1, room, "strcat");
    return std::strcat(to, from);
}

char* __strncat_chk(char* to, const char* from, std::size_t most, std::size_t room) noexcept {
    check_room(strnlen(to, room) + strnlen(from, most) + 1, room, "strncat");
    return std::strncat(to, from, most);
}
}
