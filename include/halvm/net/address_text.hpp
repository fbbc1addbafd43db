// SPDX-License-Identifier: BSD-3-Clause
// What the parsers of addresses share: reading numbers from a text, at compile time too.
#pragma once

#include <halvm/net/errors.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace halvm::net::reading {

/// What came of reading a text: a value, or why there is none.
template <class Value>
struct parsed {
    Value value{};
    address_errc failed{};  // no enumerator, that is 0, when there is a value

    [[nodiscard]] constexpr bool is_good() const noexcept { return failed == address_errc{}; }
    [[nodiscard]] result<Value> to_result(const char* attempted) const noexcept {
        if (is_good())
            return value;
        return failure{error{make_error_code(failed), attempted}};
    }
};

/// A value that failed to parse at compile time, for which the compiler points here.
inline void not_an_address() noexcept {}

/// For the literals: a wrong one does not compile.
template <class Value>
consteval Value require(parsed<Value> read) {
    if (!read.is_good())
        not_an_address();
    return read.value;
}

constexpr int digit_value(char digit) noexcept {
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return 99;
}

/// Takes a decimal number off the front of `rest`: "0", or digits that do not begin with 0.
constexpr parsed<std::uint32_t> take_decimal(std::string_view& rest, std::uint32_t greatest) noexcept {
    std::uint32_t value = 0;
    std::size_t count = 0;
    while (count < rest.size() && digit_value(rest[count]) < 10) {
        if (count == 1 && value == 0)
            return {{}, address_errc::leading_zero};
        value = value * 10 + static_cast<std::uint32_t>(digit_value(rest[count]));
        if (value > greatest)
            return {{}, address_errc::number_too_big};
        ++count;
    }
    if (count == 0)
        return {{}, address_errc::bad_character};
    rest.remove_prefix(count);
    return {value};
}

/// Takes one to `most` hexadecimal digits off the front of `rest`.
constexpr parsed<std::uint32_t> take_hex(std::string_view& rest, std::size_t most) noexcept {
    std::uint32_t value = 0;
    std::size_t count = 0;
    while (count < rest.size() && digit_value(rest[count]) < 16) {
        if (count == most)
            return {{}, address_errc::number_too_big};
        value = value * 16 + static_cast<std::uint32_t>(digit_value(rest[count]));
        ++count;
    }
    if (count == 0)
        return {{}, address_errc::bad_character};
    rest.remove_prefix(count);
    return {value};
}

/// Takes `expected` off the front of `rest`, if it is there.
constexpr bool take(std::string_view& rest, char expected) noexcept {
    if (rest.empty() || rest.front() != expected)
        return false;
    rest.remove_prefix(1);
    return true;
}

/// Spreads the bits of an address over a std::hash's value. It has no key: whoever chooses addresses can choose
/// collisions, so a table that strangers fill needs its own.
constexpr std::size_t mix(std::uint64_t value) noexcept {
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
    value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
    return value ^ (value >> 31);
}

}  // namespace halvm::net::reading
