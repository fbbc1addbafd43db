// SPDX-License-Identifier: BSD-3-Clause
#include "libc/stdio/console_line.hpp"
#include "core/console.hpp"

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <string_view>

namespace {

std::string_view typed;
std::string shown;

}  // namespace

std::size_t halvm::core::console_read(char* into, std::size_t) noexcept {
    constexpr char end_of_input = 4;
    *into = typed.empty() ? end_of_input : typed.front();
    typed.remove_prefix(typed.empty() ? 0 : 1);
    return 1;
}

void halvm::core::console_write(const char* text, std::size_t size) noexcept { shown.append(text, size); }

namespace {

struct reader {
    explicit reader(std::string_view input) {
        typed = input;
        shown.clear();
    }

    std::string line() {
        std::array<unsigned char, 16> buffer{};
        const std::size_t size = halvm::libc::read_console_line(buffer);
        return {buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(size)};
    }
};

}  // namespace

TEST_CASE("console line: Enter is a newline, and what is typed is shown") {
    reader terminal{"one\rtwo\n"};
    CHECK(terminal.line() == "one\n");
    CHECK(shown == "one\n");
    CHECK(terminal.line() == "two\n");
    CHECK(terminal.line().empty());
}

TEST_CASE("console line: backspace takes back a character, but nothing before the line") {
    reader terminal{"\b\x7fhelo\b\blo\r"};
    CHECK(terminal.line() == "helo\n");
    CHECK(shown == "helo\b \b\b \blo\n");
}

TEST_CASE("console line: backspace takes back all bytes of a UTF-8 character") {
    reader terminal{"a\xe2\x82\xac\x7f\r"};
    CHECK(terminal.line() == "a\n");
}

TEST_CASE("console line: ^U takes back the line") {
    reader terminal{"wrong\x15right\r"};
    CHECK(terminal.line() == "right\n");
}

TEST_CASE("console line: ^D ends the input at the start of a line, and else the line") {
    reader terminal{"part\x04\x04rest\r"};
    CHECK(terminal.line() == "part");
    CHECK(terminal.line().empty());
    CHECK(terminal.line() == "rest\n");
}

TEST_CASE("console line: a line longer than the buffer comes in parts") {
    reader terminal{"0123456789abcdefg\r"};
    CHECK(terminal.line() == "0123456789abcdef");
    CHECK(terminal.line() == "g\n");
}

TEST_CASE("console line: control characters are read and not shown") {
    reader terminal{"a\x1b\tb\r"};
    CHECK(terminal.line() == "a\x1b\tb\n");
    CHECK(shown == "a\tb\n");
}
