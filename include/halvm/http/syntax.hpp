// SPDX-License-Identifier: BSD-3-Clause
// Which characters may stand where. [rfc9110 5.5, 5.6], [rfc5234 B.1]
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace halvm::http::syntax {

enum kind : std::uint8_t {
    token = 1,   ///< of a token: a method, a field's name
    value = 2,   ///< of a field's value: visible, SP, HTAB, and bytes above ASCII
    target = 4,  ///< of a request target: visible ASCII but `#`, `"`, `<`, `>`
    digit = 8,
    hex = 16,
};

inline constexpr auto kinds = [] {
    std::array<std::uint8_t, 256> table{};
    const auto mark = [&](std::string_view all, std::uint8_t as) {
        for (const char one : all)
            table[static_cast<unsigned char>(one)] |= as;
    };
    for (unsigned one = 0x20; one < 256; ++one)
        if (one != 0x7f)
            table[one] |= value;
    table['\t'] |= value;
    for (unsigned one = 0x21; one < 0x7f; ++one)
        table[one] |= target;
    for (const char one : std::string_view{"#\"<>"})
        table[static_cast<unsigned char>(one)] &= static_cast<std::uint8_t>(~target);
    mark("0123456789", token | digit | hex);
    mark("abcdefABCDEF", hex);
    mark("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ!#$%&'*+-.^_`|~", token);
    return table;
}();

[[nodiscard]] constexpr bool is(char one, kind what) noexcept {
    return (kinds[static_cast<unsigned char>(one)] & what) != 0;
}
/// Whether all of a text, which may be empty, is of that kind.
[[nodiscard]] constexpr bool all(std::string_view text, kind what) noexcept {
    for (const char one : text)
        if (!is(one, what))
            return false;
    return true;
}
/// Pre: `one` is a hexadecimal digit.
[[nodiscard]] constexpr unsigned hex_value(char one) noexcept {
    return static_cast<unsigned>(one <= '9' ? one - '0' : (one | 0x20) - 'a' + 10);
}
[[nodiscard]] constexpr bool is_blank(char one) noexcept { return one == ' ' || one == '\t'; }
[[nodiscard]] constexpr std::string_view trim(std::string_view text) noexcept {
    while (!text.empty() && is_blank(text.front()))
        text.remove_prefix(1);
    while (!text.empty() && is_blank(text.back()))
        text.remove_suffix(1);
    return text;
}
[[nodiscard]] constexpr char lower(char one) noexcept {
    return one >= 'A' && one <= 'Z' ? static_cast<char>(one | 0x20) : one;
}

/// The number of one to nineteen decimal digits; false for anything else.
[[nodiscard]] constexpr bool read_decimal(std::string_view text, std::uint64_t& number) noexcept {
    if (text.empty() || text.size() > 19 || !all(text, digit))
        return false;
    number = 0;
    for (const char one : text)
        number = number * 10 + static_cast<std::uint64_t>(one - '0');
    return true;
}

}  // namespace halvm::http::syntax
