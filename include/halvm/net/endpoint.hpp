// SPDX-License-Identifier: BSD-3-Clause
// One end of a conversation: an address and a port, as "192.0.2.1:80" or "[2001:db8::1]:80". [rfc5952 6]
#pragma once

#include <halvm/net/ip_address.hpp>

namespace halvm::net {

struct endpoint {
    ip_address address;
    std::uint16_t port = 0;

    /// The port cannot be left out. Errors: address_errc.
    static result<endpoint> parse(std::string_view text) noexcept { return read(text).to_result("parse an endpoint"); }
    static constexpr reading::parsed<endpoint> read(std::string_view text) noexcept {
        if (text.empty())
            return {{}, address_errc::empty};
        const bool in_brackets = reading::take(text, '[');
        const std::size_t end = text.find(in_brackets ? ']' : ':');
        if (end == std::string_view::npos)
            return {{}, address_errc::bad_character};
        reading::parsed<ip_address> address;
        if (in_brackets) {
            const auto inside = ipv6_address::read(text.substr(0, end));
            address = {inside.value, inside.failed};
        } else {
            address = ip_address::read(text.substr(0, end));
        }
        if (!address.is_good())
            return {{}, address.failed};
        text.remove_prefix(end + (in_brackets ? 1 : 0));
        if (!reading::take(text, ':'))
            return {{}, address_errc::bad_character};
        const auto number = reading::take_decimal(text, 65535);
        if (!number.is_good() || !text.empty())
            return {{}, number.is_good() ? address_errc::bad_character : number.failed};
        return {endpoint{address.value, static_cast<std::uint16_t>(number.value)}};
    }

    friend constexpr bool operator==(const endpoint&, const endpoint&) noexcept = default;
    friend constexpr auto operator<=>(const endpoint&, const endpoint&) noexcept = default;

    friend constexpr void describe(const endpoint& end, text_sink& out) noexcept {
        if (end.address.is_v6())
            out.character('[');
        describe(end.address, out);
        out.text(end.address.is_v6() ? "]:" : ":");
        out.decimal(end.port);
    }
    [[nodiscard]] constexpr fixed_text<47> to_text() const noexcept {
        return fixed_text<47>{[this](text_sink& out) { describe(*this, out); }};
    }
};

namespace literals {
consteval endpoint operator""_endpoint(const char* chars, std::size_t count) {
    return reading::require(endpoint::read({chars, count}));
}
}  // namespace literals

}  // namespace halvm::net

template <>
struct std::hash<halvm::net::endpoint> {
    std::size_t operator()(const halvm::net::endpoint& end) const noexcept {
        return halvm::reading::mix(std::hash<halvm::net::ip_address>{}(end.address) + end.port);
    }
};
