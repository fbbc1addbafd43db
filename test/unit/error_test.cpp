// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>
#include <halvm/error.hpp>

namespace {

const auto invalid = std::make_error_code(std::errc::invalid_argument);

TEST_CASE("error: the message says what was attempted, then what went wrong") {
    const halvm::error error{invalid, "bind the console's event channel"};
    CHECK(error.message() == "bind the console's event channel: Invalid argument");
    CHECK(error.attempted() == std::string{"bind the console's event channel"});
    CHECK(error.code() == invalid);
}

TEST_CASE("error: without an attempt the message is the code's") {
    CHECK(halvm::error{invalid}.message() == "Invalid argument");
}

TEST_CASE("error: equals its code, and only that one") {
    const halvm::error error{invalid, "try"};
    CHECK(error == invalid);
    CHECK_FALSE(error == std::make_error_code(std::errc::io_error));
    CHECK_FALSE(error == std::error_code{invalid.value(), std::iostream_category()});
}

}  // namespace
