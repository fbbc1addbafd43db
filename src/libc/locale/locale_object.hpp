// SPDX-License-Identifier: BSD-3-Clause
// The one locale, "C". Two libraries read a locale object: libstdc++ takes it for glibc's `struct __locale_struct` and
// reads the ctype tables in it; musl takes it for its own, six pointers that are null in the C locale. glibc's begins
// with 13 pointers that only glibc's code reads, so one object, with those null, serves both.
#pragma once

#include <cstddef>

#include <locale.h>

namespace halvm::libc {

static_assert(offsetof(__locale_struct, __locales) == 0 && sizeof(__locale_struct::__locales) >= 6 * sizeof(void*));

/// True for "C" and "POSIX", and for "": the user's preference, of which there is none.
bool names_c_locale(const char* name) noexcept;

}  // namespace halvm::libc
