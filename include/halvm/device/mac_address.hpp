// SPDX-License-Identifier: BSD-3-Clause
// The address of a network interface on its link. [ieee802 8.2]
#pragma once

#include <halvm/device/address_text.hpp>
#include <halvm/text_sink.hpp>

#include <array>
#include <compare>
#include <cstdint>
#include <functional>

namespace halvm {

class mac_address {
public:
    static constexpr std::size_t size = 6;

    /// 00:00:00:00:00:00.
    constexpr mac_address() noexcept = default;
    constexpr explicit mac_address(std::array<std::uint8_t, size> octets) noexcept : octets_{octets} {}
    static constexpr mac_address broadcast() noexcept { return mac_address{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}; }

    /// Six times two hexadecimal digits, with colons between. Errors: address_errc.
    static result<mac_address> parse(std::string_view text) noexcept {
        return read(text).to_result("parse a MAC address");
    }
    static constexpr reading::parsed<mac_address> read(std::string_view text) noexcept {
        if (text.empty())
            return {{}, address_errc::empty};
        mac_address address;
        for (std::size_t at = 0; at < size; ++at) {
            if (at != 0 && !reading::take(text, ':'))
                return {{}, text.empty() ? address_errc::bad_count : address_errc::bad_character};
            const std::size_t before = text.size();
            const auto octet = reading::take_hex(text, 2);
            if (!octet.is_good())
                return {{}, octet.failed};
            if (before - text.size() != 2)
                return {{}, address_errc::bad_character};
            address.octets_[at] = static_cast<std::uint8_t>(octet.value);
        }
        if (!text.empty())
            return {{}, text.front() == ':' ? address_errc::bad_count : address_errc::bad_character};
        return {address};
    }

    [[nodiscard]] constexpr const std::array<std::uint8_t, size>& octets() const noexcept { return octets_; }

    [[nodiscard]] constexpr bool is_unspecified() const noexcept { return *this == mac_address{}; }
    [[nodiscard]] constexpr bool is_broadcast() const noexcept { return *this == broadcast(); }
    /// Of a group; the broadcast address is one, too.
    [[nodiscard]] constexpr bool is_multicast() const noexcept { return (octets_[0] & 1) != 0; }
    /// Neither a group's nor nobody's: what an interface can have.
    [[nodiscard]] constexpr bool is_unicast() const noexcept { return !is_multicast() && !is_unspecified(); }
    /// Given by who runs the network and not by a maker.
    [[nodiscard]] constexpr bool is_local() const noexcept { return (octets_[0] & 2) != 0; }

    friend constexpr bool operator==(const mac_address&, const mac_address&) noexcept = default;
    friend constexpr auto operator<=>(const mac_address&, const mac_address&) noexcept = default;

    friend constexpr void describe(const mac_address& address, text_sink& out) noexcept {
        for (std::size_t at = 0; at < size; ++at) {
            if (at != 0)
                out.character(':');
            out.hex(address.octets_[at], 2);
        }
    }
    /// "02:00:00:00:00:0a".
    [[nodiscard]] constexpr fixed_text<17> to_text() const noexcept {
        return fixed_text<17>{[this](text_sink& out) { describe(*this, out); }};
    }

private:
    std::array<std::uint8_t, size> octets_{};
};

namespace literals {
consteval mac_address operator""_mac(const char* chars, std::size_t count) {
    return reading::require(mac_address::read({chars, count}));
}
}  // namespace literals

}  // namespace halvm

template <>
struct std::hash<halvm::mac_address> {
    std::size_t operator()(const halvm::mac_address& address) const noexcept {
        std::uint64_t value = 0;
        for (const std::uint8_t octet : address.octets())
            value = value << 8 | octet;
        return halvm::reading::mix(value);
    }
};
