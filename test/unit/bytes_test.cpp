// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>
#include <halvm/bytes.hpp>

namespace {

using namespace std::string_view_literals;

TEST_CASE("bytes: a text's bytes are its characters, zeros included, without the end mark") {
    const auto text = "a\0\xff"sv;
    const halvm::const_bytes data = halvm::as_bytes(text);
    REQUIRE(data.size() == 3);
    CHECK(data[0] == std::byte{'a'});
    CHECK(data[1] == std::byte{0});
    CHECK(data[2] == std::byte{0xff});
    CHECK(halvm::as_bytes("literal").size() == 7);
}

TEST_CASE("bytes: text and bytes are views of the same memory") {
    const auto text = "hello"sv;
    CHECK(halvm::as_text(halvm::as_bytes(text)).data() == text.data());
    CHECK(halvm::as_text(halvm::as_bytes(text)) == text);
}

TEST_CASE("bytes: nothing stays nothing") {
    CHECK(halvm::as_bytes("").empty());
    CHECK(halvm::as_text({}).empty());
}

}  // namespace
