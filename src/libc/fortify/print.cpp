// SPDX-License-Identifier: BSD-3-Clause
// The flag says how strict to be about %n in formats that can be written to; every format is taken as it is.
#include "libc/fortify/overflow.hpp"

#include <cstdarg>
#include <cstdio>

using halvm::libc::check_room;

extern "C" {

int __vfprintf_chk(std::FILE* stream, int, const char* format, std::va_list arguments) {
    return std::vfprintf(stream, format, arguments);
}

int __vprintf_chk(int, const char* format, std::va_list arguments) { return std::vprintf(format, arguments); }

int __vsnprintf_chk(char* to, std::size_t size, int, std::size_t room, const char* format,
                    std::va_list arguments) noexcept {
    check_room(size, room, "snprintf");
    return std::vsnprintf(to, size, format, arguments);
}

int __vsprintf_chk(char* to, int, std::size_t room, const char* format, std::va_list arguments) noexcept {
    // Nothing may be written past the room, so a bounded call finds out how much there would be.
    constexpr std::size_t most = 0x7fffffff;
    const int length = std::vsnprintf(to, room < most ? room : most, format, arguments);
    if (length >= 0)
        check_room(static_cast<std::size_t>(length) + 1, room, "sprintf");
    return length;
}

int __vasprintf_chk(char** result, int, const char* format, std::va_list arguments) noexcept {
    return vasprintf(result, format, arguments);
}

int __fprintf_chk(std::FILE* stream, int, const char* format, ...) {
    std::va_list arguments;
    va_start(arguments, format);
    const int result = std::vfprintf(stream, format, arguments);
    va_end(arguments);
    return result;
}

int __printf_chk(int, const char* format, ...) {
    std::va_list arguments;
    va_start(arguments, format);
    const int result = std::vprintf(format, arguments);
    va_end(arguments);
    return result;
}

int __snprintf_chk(char* to, std::size_t size, int flag, std::size_t room, const char* format, ...) noexcept {
    std::va_list arguments;
    va_start(arguments, format);
    const int result = __vsnprintf_chk(to, size, flag, room, format, arguments);
    va_end(arguments);
    return result;
}

int __sprintf_chk(char* to, int flag, std::size_t room, const char* format, ...) noexcept {
    std::va_list arguments;
    va_start(arguments, format);
    const int result = __vsprintf_chk(to, flag, room, format, arguments);
    va_end(arguments);
    return result;
}

int __asprintf_chk(char** result, int, const char* format, ...) noexcept {
    std::va_list arguments;
    va_start(arguments, format);
    const int length = vasprintf(result, format, arguments);
    va_end(arguments);
    return length;
}
}
