// SPDX-License-Identifier: BSD-3-Clause
#include "libc/fortify/overflow.hpp"

#include <cstdarg>
#include <cstdio>
#include <cwchar>

extern "C" {

int __vfwprintf_chk(std::FILE* stream, int, const wchar_t* format, std::va_list arguments) {
    return std::vfwprintf(stream, format, arguments);
}

int __vwprintf_chk(int, const wchar_t* format, std::va_list arguments) { return std::vwprintf(format, arguments); }

int __fwprintf_chk(std::FILE* stream, int, const wchar_t* format, ...) {
    std::va_list arguments;
    va_start(arguments, format);
    const int result = std::vfwprintf(stream, format, arguments);
    va_end(arguments);
    return result;
}

int __wprintf_chk(int, const wchar_t* format, ...) {
    std::va_list arguments;
    va_start(arguments, format);
    const int result = std::vwprintf(format, arguments);
    va_end(arguments);
    return result;
}

wchar_t* __fgetws_chk(wchar_t* into, std::size_t room, int size, std::FILE* stream) {
    halvm::libc::check_room(static_cast<std::size_t>(size), room, "fgetws");
    return std::fgetws(into, size, stream);
}
}
