// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>
#include <halvm/console.hpp>

#include <array>

namespace {

namespace machine = halvm::machine;

struct fresh_console {
    fresh_console() {
        machine::console_input.clear();
        machine::console_output.clear();
        machine::console_missing.reset();
    }
};

TEST_CASE_FIXTURE(fresh_console, "open_console: hands on why there is no console") {
    machine::console_missing = halvm::error{std::make_error_code(std::errc::no_such_device), "open"};
    const auto console = halvm::open_console();
    REQUIRE_FALSE(console.has_value());
    CHECK(console.error() == std::make_error_code(std::errc::no_such_device));
}

TEST_CASE_FIXTURE(fresh_console, "text_console: print and write give the device every byte, in order") {
    auto console = halvm::open_console().value();
    CHECK(console.print("one\n").has_value());
    CHECK(console.write(halvm::as_bytes(std::string_view{"\0two", 4})).has_value());
    CHECK(console.print("").has_value());
    CHECK(machine::console_output == std::string{"one\n\0two", 8});
}

TEST_CASE_FIXTURE(fresh_console, "text_console: reads what the device has, byte for byte") {
    machine::console_input = "abc";
    auto console = halvm::open_console().value();
    std::array<std::byte, 2> two;
    CHECK(console.read(two).value() == 2);
    CHECK(halvm::as_text(two) == "ab");
    CHECK(console.try_read(two).value() == 1);
    CHECK(two[0] == std::byte{'c'});
    CHECK(console.try_read(two).value() == 0);
}

}  // namespace
