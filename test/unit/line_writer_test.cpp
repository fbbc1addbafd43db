// SPDX-License-Identifier: BSD-3-Clause
// What a panic prints with, compared with printf() itself.
#include "text/line_writer.hpp"

#include <doctest/doctest.h>

#include <climits>
#include <cstdarg>
#include <cstdio>
#include <string>

namespace {

using halvm::line_writer;

[[gnu::format(printf, 1, 2)]] std::string ours(const char* format, ...) {
    line_writer line;
    std::va_list arguments;
    va_start(arguments, format);
    line.format(format, arguments);
    va_end(arguments);
    return line.c_str();
}

[[gnu::format(printf, 1, 2)]] std::string theirs(const char* format, ...) {
    char buffer[600];
    std::va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(buffer, sizeof buffer, format, arguments);
    va_end(arguments);
    return buffer;
}

#define SAME(...) CHECK(ours(__VA_ARGS__) == theirs(__VA_ARGS__))

TEST_CASE("panic format: prints as printf does") {
    SAME("plain");
    SAME("%s and %s", "one", "");
    SAME("%c%c", 'a', 'z');
    SAME("%d %d %d %d", 0, -1, INT_MAX, INT_MIN);
    SAME("%ld %ld %zd", LONG_MAX, LONG_MIN, static_cast<ssize_t>(-5));
    SAME("%u %lu %zu", UINT_MAX, ULONG_MAX, SIZE_MAX);
    SAME("%x %lx %x", 0xdeadbeefU, 0x123456789abcdefUL, 0U);
    SAME("%p", reinterpret_cast<void*>(0x1234));
    SAME("100 %%");
}

#undef SAME

TEST_CASE("panic format: a null text is said, not read") {
    const char* volatile nothing = nullptr;  // else the compiler sees it and warns
    CHECK(ours("<%s>", nothing) == "<(null)>");
}

TEST_CASE("panic format: what does not fit is cut off, and a cleared line begins anew") {
    line_writer line;
    for (int i = 0; i < 100; ++i)
        line.text("0123456789");
    CHECK(line.view().size() == 511);
    CHECK(std::string{line.c_str()} == line.view());
    line.clear();
    CHECK(line.view().empty());
    line.hex_padded(0xab);
    CHECK(line.view() == "00000000000000ab");
}

}  // namespace
