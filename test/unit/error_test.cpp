// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>
#include <halvm/error.hpp>

#include <string>
#include <type_traits>

namespace {

static_assert(std::is_trivially_copyable_v<halvm::error>);

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

TEST_CASE("error: its numbers stand where the text has a place for them") {
    const halvm::error error{invalid, "bind to port {} of domain {}", 7, 2};
    CHECK(error.message() == "bind to port 7 of domain 2: Invalid argument");
    CHECK(error.subject().empty());
    CHECK(halvm::error(invalid, "take 100 %", 7).message() == "take 100 %: Invalid argument");
}

TEST_CASE("error: its subject follows the attempt") {
    std::string path{"domid"};
    const halvm::error error{invalid, "read", path};
    path = "other";
    CHECK(error.message() == "read domid: Invalid argument");
    CHECK(halvm::error{error}.subject() == "domid");
    CHECK(halvm::error(invalid, "", "domid").message() == "domid: Invalid argument");
}

TEST_CASE("error: of a long subject the end is kept") {
    const std::string longest(halvm::error::subject_room, 'x');
    CHECK(halvm::error(invalid, "read", longest).subject() == longest);
    const halvm::error cut{invalid, "read", longest + "/state"};
    CHECK(cut.subject().size() == halvm::error::subject_room);
    CHECK(cut.subject().starts_with("...x"));
    CHECK(cut.subject().ends_with("x/state"));
}

TEST_CASE("error: equals its code, and only that one") {
    const halvm::error error{invalid, "try"};
    CHECK(error == invalid);
    CHECK_FALSE(error == std::make_error_code(std::errc::io_error));
    CHECK_FALSE(error == std::error_code{invalid.value(), std::iostream_category()});
}

}  // namespace
