// SPDX-License-Identifier: BSD-3-Clause
// Functions that both libraries have and that differ: glibc's headers promise glibc's.
#include <cerrno>
#include <cstring>

extern "C" {

// glibc's may leave the buffer unused and return a constant text.
char* strerror_r(int error, char*, std::size_t) noexcept { return std::strerror(error); }

int __xpg_strerror_r(int error, char* into, std::size_t size) noexcept {
    const char* const text = std::strerror(error);
    const std::size_t length = std::strlen(text);
    if (size != 0) {
        const std::size_t copied = length < size ? length : size - 1;
        std::memcpy(into, text, copied);
        into[copied] = '\0';
    }
    return length < size ? 0 : ERANGE;
}

// glibc's <string.h> declares two functions of this name: what follows the last slash, and nothing is written.
char* after_last_slash(const char* path) noexcept asm("basename");
char* after_last_slash(const char* path) noexcept {
    const char* const slash = std::strrchr(path, '/');
    return const_cast<char*>(slash == nullptr ? path : slash + 1);
}

// POSIX's, of <libgen.h>: cuts slashes off the end.
char* __xpg_basename(char* path) noexcept {
    static char nothing[] = ".";
    if (path == nullptr || *path == '\0')
        return nothing;
    std::size_t end = std::strlen(path);
    while (end > 1 && path[end - 1] == '/')
        path[--end] = '\0';
    return end == 1 ? path : after_last_slash(path);
}
}
