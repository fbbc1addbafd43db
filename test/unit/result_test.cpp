// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>
#include <halvm/result.hpp>

#include <memory>
#include <string>
#include <string_view>

namespace {

const halvm::error broken{std::make_error_code(std::errc::io_error), "read sector 7"};

halvm::result<int> number(bool good) {
    if (good)
        return 7;
    return halvm::failure{broken};
}

halvm::result<void> nothing(bool good) {
    if (good)
        return {};
    return halvm::failure{broken};
}

TEST_CASE("result: holds a value or the error") {
    CHECK(number(true).value() == 7);
    REQUIRE_FALSE(number(false).has_value());
    CHECK(number(false).error() == broken.code());
    CHECK(nothing(true).has_value());
    CHECK(nothing(false).error().message() == "read sector 7: Input/output error");
}

TEST_CASE("result: value() of an error throws it") {
    try {
        static_cast<void>(number(false).value());
        FAIL("nothing was thrown");
    } catch (const tl::bad_expected_access<halvm::error>& thrown) {
        CHECK(thrown.error().message() == broken.message());
    }
}

TEST_CASE("result: what() of what value() throws is the error's message, cut when it is long") {
    const auto what = [](halvm::error reason) {
        try {
            static_cast<void>(halvm::result<int>{halvm::failure{reason}}.value());
        } catch (const std::exception& thrown) {
            return std::string{thrown.what()};
        }
        return std::string{};
    };
    CHECK(what(broken) == "read sector 7: Input/output error");
    CHECK(what(halvm::error{broken.code(), "read {} of {}", 1, 2}) == "read 1 of 2: Input/output error");
    CHECK(what(halvm::error{broken.code(), "read", std::string_view{"a"}}) == "read a: Input/output error");
    const std::string much(300, 'm');
    CHECK(what(halvm::error{broken.code(), much.c_str()}) == much.substr(0, 159));
}

TEST_CASE("result: carries what can only be moved") {
    halvm::result<std::unique_ptr<int>> held{std::make_unique<int>(3)};
    const std::unique_ptr<int> taken = std::move(held).value();
    CHECK(*taken == 3);
}

TEST_CASE("result: and_then goes on with a value and passes an error by") {
    const auto twice = [](int value) { return halvm::result<int>{2 * value}; };
    CHECK(number(true).and_then(twice).value() == 14);
    CHECK(number(false).and_then(twice).error() == broken.code());
}

}  // namespace
