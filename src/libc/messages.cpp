// SPDX-License-Identifier: BSD-3-Clause
// Translated messages: there are no catalogues, so every message is its own translation.
#include <libintl.h>

#include <cerrno>

namespace {

char* same(const char* message) noexcept { return const_cast<char*>(message); }

char* plural(const char* one, const char* many, unsigned long count) noexcept { return same(count == 1 ? one : many); }

}  // namespace

#undef gettext
#undef dgettext
#undef dcgettext
#undef ngettext
#undef dngettext
#undef dcngettext

extern "C" {

char* gettext(const char* message) noexcept { return same(message); }

char* dgettext(const char*, const char* message) noexcept { return same(message); }

char* dcgettext(const char*, const char* message, int) noexcept { return same(message); }

char* ngettext(const char* one, const char* many, unsigned long count) noexcept { return plural(one, many, count); }

char* dngettext(const char*, const char* one, const char* many, unsigned long count) noexcept {
    return plural(one, many, count);
}

char* dcngettext(const char*, const char* one, const char* many, unsigned long count, int) noexcept {
    return plural(one, many, count);
}

char* textdomain(const char* domain) noexcept { return same(domain == nullptr ? "messages" : domain); }

char* bindtextdomain(const char*, const char*) noexcept {
    errno = ENOENT;
    return nullptr;
}
}
