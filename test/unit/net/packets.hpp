// SPDX-License-Identifier: BSD-3-Clause
// What the tests of wire formats share: good packets, and ways to spoil them.
#pragma once

#include "net/captured.hpp"

#include <doctest/doctest.h>

#include <halvm/net/wire/fields.hpp>

#include <initializer_list>
#include <string>
#include <vector>

namespace halvm::test {

using packet = std::vector<std::byte>;

/// White space in `hex` is left out.
inline packet from_hex(std::string_view hex) {
    packet made;
    std::string digits;
    for (const char one : hex)
        if (one != ' ')
            digits += one;
    REQUIRE(digits.size() % 2 == 0);
    for (std::size_t at = 0; at < digits.size(); at += 2)
        made.push_back(std::byte{static_cast<std::uint8_t>(std::stoul(digits.substr(at, 2), nullptr, 16))});
    return made;
}

/// A captured frame without its first `headers` bytes.
inline packet behind(std::size_t headers, const captured::frame& frame) {
    const packet whole = from_hex(frame.hex);
    return {whole.begin() + static_cast<std::ptrdiff_t>(headers), whole.end()};
}

/// `good` with other bytes from `at` on.
inline packet with(packet good, std::size_t at, std::initializer_list<unsigned> octets) {
    REQUIRE(at + octets.size() <= good.size());
    for (const unsigned octet : octets)
        good[at++] = std::byte{static_cast<std::uint8_t>(octet)};
    return good;
}

inline packet first(const packet& good, std::size_t size) {
    return {good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size)};
}

inline packet joined(packet front, const_bytes back) {
    front.insert(front.end(), back.begin(), back.end());
    return front;
}

template <class Thing>
std::string text_of(const Thing& thing) {
    std::array<char, 512> room{};
    text_sink out{room};
    describe(thing, out);
    return std::string{out.view()};
}

/// The error with which `View` refuses `data`.
template <class View>
std::error_code refusal(const packet& data) {
    const auto view = View::parse(data);
    return view ? std::error_code{} : view.error().code();
}

}  // namespace halvm::test
