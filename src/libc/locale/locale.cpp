// SPDX-License-Identifier: BSD-3-Clause
#include "libc/locale/locale_object.hpp"

#include "libc/musl_layout.hpp"

#include <cctype>
#include <cerrno>
#include <cstring>

namespace halvm::libc {

bool names_c_locale(const char* name) noexcept {
    return *name == '\0' || std::strcmp(name, "C") == 0 || std::strcmp(name, "POSIX") == 0;
}

}  // namespace halvm::libc

namespace {

using halvm::libc::names_c_locale;
using halvm::libc::musl::self;

// The tables are musl's own; where they begin is known when its functions are asked.
locale_t c_locale() noexcept {
    static __locale_struct object = {};
    if (object.__ctype_b == nullptr) {
        object.__ctype_b = *__ctype_b_loc();
        object.__ctype_tolower = *__ctype_tolower_loc();
        object.__ctype_toupper = *__ctype_toupper_loc();
        for (const char*& name : object.__names)
            name = "C";
    }
    return &object;
}

}  // namespace

extern "C" {

locale_t newlocale(int, const char* name, locale_t) noexcept {
    if (name != nullptr && names_c_locale(name))
        return c_locale();
    errno = ENOENT;
    return nullptr;
}

locale_t duplocale(locale_t) noexcept { return c_locale(); }

void freelocale(locale_t) noexcept {}

// All locales are the same, so all that there is to remember is that the thread was given one.
locale_t uselocale(locale_t next) noexcept {
    const void* const before = self()->locale;
    if (next == LC_GLOBAL_LOCALE) {
        self()->locale = halvm::libc::musl::__libc.global_locale;
    } else if (next != nullptr) {
        self()->locale = next;
    }
    return before == halvm::libc::musl::__libc.global_locale ? LC_GLOBAL_LOCALE
                                                             : static_cast<locale_t>(const_cast<void*>(before));
}

int __loc_is_allocated(locale_t) { return 0; }

// The names under which libstdc++ calls them.
[[gnu::alias("newlocale")]] locale_t __newlocale(int, const char*, locale_t) noexcept;
[[gnu::alias("duplocale")]] locale_t __duplocale(locale_t) noexcept;
[[gnu::alias("freelocale")]] void __freelocale(locale_t) noexcept;
[[gnu::alias("uselocale")]] locale_t __uselocale(locale_t) noexcept;

char* setlocale(int category, const char* name) noexcept {
    static char c_name[] = "C";
    const bool known = category >= LC_CTYPE && category <= LC_IDENTIFICATION;
    return known && (name == nullptr || names_c_locale(name)) ? c_name : nullptr;
}
}
