// SPDX-License-Identifier: BSD-3-Clause
// The one locale, "C". Two libraries read the object: libstdc++ takes it for glibc's `struct __locale_struct` and reads
// the ctype tables in it; musl takes it for its own, six pointers that are null in the C locale. glibc's begins with 13
// pointers that only glibc's code reads, so one object serves both.
#pragma once

namespace halvm::libc {

struct locale_object {
    const void* categories[13];
    const unsigned short* ctype_class;  // indexed -128 .. 255
    const int* to_lower;
    const int* to_upper;
    const char* names[13];
};

/// The locale of every thread, from its first instruction.
inline const void* c_locale() noexcept {
    extern const locale_object c_locale_object;
    return &c_locale_object;
}

/// True for "C" and "POSIX", and for "": the user's preference, of which there is none.
bool names_c_locale(const char* name) noexcept;

}  // namespace halvm::libc
