// SPDX-License-Identifier: BSD-3-Clause
// What the parsers of addresses share: reading numbers from a text, at compile time too, and
// why a text is no address.
#pragma once

#include <halvm/result.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>

namespace halvm {

/// What is wrong with the text of an address.
enum class address_errc {
    empty = 1,
    bad_character,   // what cannot stand there, also when something is missing
    bad_count,       // too few or too many numbers, or more than one "::"
    number_too_big,  // above what its place can hold
    leading_zero,    // which others read as octal
    bad_prefix,      // a prefix length above the address's
    host_bits_set,   // a prefix whose address has bits behind its length
};

class address_errors final : public std::error_category {
public:
    const char* name() const noexcept override { return "address"; }
    std::string message(int value) const override {
        switch (static_cast<address_errc>(value)) {
        case address_errc::empty: return "there is no text";
        case address_errc::bad_character: return "a character is wrong or missing";
        case address_errc::bad_count: return "it has too few or too many parts";
        case address_errc::number_too_big: return "a number is too big";
        case address_errc::leading_zero: return "a number begins with 0";
        case address_errc::bad_prefix: return "the prefix is longer than the address";
        case address_errc::host_bits_set: return "there are bits behind the prefix; use the network's address";
        }
        return "unknown error";
    }
};

inline const std::error_category& address_category() noexcept {
    static const address_errors category;
    return category;
}
inline std::error_code make_error_code(address_errc code) noexcept {
    return {static_cast<int>(code), address_category()};
}

}  // namespace halvm

template <>
struct std::is_error_code_enum<halvm::address_errc> : std::true_type {};

namespace halvm::reading {

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

}  // namespace halvm::reading
