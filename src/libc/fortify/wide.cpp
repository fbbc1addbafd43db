// SPDX-License-Identifier: BSD-3-Clause
// Wide strings: their sizes and rooms are counted in characters, but for wcrtomb's.
#include "libc/fortify/overflow.hpp"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cwchar>

namespace {

void check(std::size_t needed, std::size_t room, const char* call) noexcept {
    // The room is SIZE_MAX when it is not known: no product of it.
    halvm::libc::check_room(needed > room ? needed * sizeof(wchar_t) : 0, room * sizeof(wchar_t), call);
}

}  // namespace

extern "C" {

wchar_t* __wmemcpy_chk(wchar_t* to, const wchar_t* from, std::size_t size, std::size_t room) noexcept {
    check(size, room, "wmemcpy");
    return std::wmemcpy(to, from, size);
}

wchar_t* __wmemmove_chk(wchar_t* to, const wchar_t* from, std::size_t size, std::size_t room) noexcept {
    check(size, room, "wmemmove");
    return std::wmemmove(to, from, size);
}

wchar_t* __wmemset_chk(wchar_t* to, wchar_t value, std::size_t size, std::size_t room) noexcept {
    check(size, room, "wmemset");
    return std::wmemset(to, value, size);
}

wchar_t* __wcscpy_chk(wchar_t* to, const wchar_t* from, std::size_t room) noexcept {
    check(std::wcslen(from) + 1, room, "wcscpy");
    return std::wcscpy(to, from);
}

wchar_t* __wcpcpy_chk(wchar_t* to, const wchar_t* from, std::size_t room) noexcept {
    check(std::wcslen(from) + 1, room, "wcpcpy");
    return wcpcpy(to, from);
}

wchar_t* __wcsncpy_chk(wchar_t* to, const wchar_t* from, std::size_t size, std::size_t room) noexcept {
    check(size, room, "wcsncpy");
    return std::wcsncpy(to, from, size);
}

wchar_t* __wcscat_chk(wchar_t* to, const wchar_t* from, std::size_t room) noexcept {
    check(wcsnlen(to, room) + std::wcslen(from) + 1, room, "wcscat");
    return std::wcscat(to, from);
}

wchar_t* __wcsncat_chk(wchar_t* to, const wchar_t* from, std::size_t most, std::size_t room) noexcept {
    check(wcsnlen(to, room) + wcsnlen(from, most) + 1, room, "wcsncat");
    return std::wcsncat(to, from, most);
}

int __vswprintf_chk(wchar_t* to, std::size_t size, int, std::size_t room, const wchar_t* format,
                    std::va_list arguments) noexcept {
    check(size, room, "swprintf");
    return std::vswprintf(to, size, format, arguments);
}

int __swprintf_chk(wchar_t* to, std::size_t size, int flag, std::size_t room, const wchar_t* format, ...) noexcept {
    std::va_list arguments;
    va_start(arguments, format);
    const int result = __vswprintf_chk(to, size, flag, room, format, arguments);
    va_end(arguments);
    return result;
}

std::size_t __mbstowcs_chk(wchar_t* to, const char* from, std::size_t size, std::size_t room) noexcept {
    check(to == nullptr ? 0 : size, room, "mbstowcs");
    return std::mbstowcs(to, from, size);
}

std::size_t __wcstombs_chk(char* to, const wchar_t* from, std::size_t size, std::size_t room) noexcept {
    halvm::libc::check_room(to == nullptr ? 0 : size, room, "wcstombs");
    return std::wcstombs(to, from, size);
}

std::size_t __mbsrtowcs_chk(wchar_t* to, const char** from, std::size_t size, std::mbstate_t* state,
                            std::size_t room) noexcept {
    check(to == nullptr ? 0 : size, room, "mbsrtowcs");
    return std::mbsrtowcs(to, from, size, state);
}

std::size_t __mbsnrtowcs_chk(wchar_t* to, const char** from, std::size_t bytes, std::size_t size, std::mbstate_t* state,
                             std::size_t room) noexcept {
    check(to == nullptr ? 0 : size, room, "mbsnrtowcs");
    return mbsnrtowcs(to, from, bytes, size, state);
}

std::size_t __wcsrtombs_chk(char* to, const wchar_t** from, std::size_t size, std::mbstate_t* state,
                            std::size_t room) noexcept {
    halvm::libc::check_room(to == nullptr ? 0 : size, room, "wcsrtombs");
    return std::wcsrtombs(to, from, size, state);
}

std::size_t __wcsnrtombs_chk(char* to, const wchar_t** from, std::size_t characters, std::size_t size,
                             std::mbstate_t* state, std::size_t room) noexcept {
    halvm::libc::check_room(to == nullptr ? 0 : size, room, "wcsnrtombs");
    return wcsnrtombs(to, from, characters, size, state);
}

int __wctomb_chk(char* to, wchar_t character, std::size_t room) noexcept {
    halvm::libc::check_room(to == nullptr ? 0 : MB_CUR_MAX, room, "wctomb");
    return std::wctomb(to, character);
}

std::size_t __wcrtomb_chk(char* to, wchar_t character, std::mbstate_t* state, std::size_t room) noexcept {
    halvm::libc::check_room(to == nullptr ? 0 : MB_CUR_MAX, room, "wcrtomb");
    return std::wcrtomb(to, character, state);
}
}
