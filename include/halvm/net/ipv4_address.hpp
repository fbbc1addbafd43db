// SPDX-License-Identifier: BSD-3-Clause
// An IPv4 address. [rfc791 2.3]
#pragma once

#include <halvm/device/address_text.hpp>
#include <halvm/text_sink.hpp>

#include <array>
#include <compare>
#include <cstdint>
#include <functional>

namespace halvm::net {

class ipv4_address {
public:
    static constexpr std::size_t size = 4;

    /// 0.0.0.0.
    constexpr ipv4_address() noexcept = default;
    constexpr ipv4_address(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) noexcept
        : bits_{static_cast<std::uint32_t>(a) << 24 | static_cast<std::uint32_t>(b) << 16 |
                static_cast<std::uint32_t>(c) << 8 | d} {}
    /// From a number whose highest byte is the first: 0x7f000001 is 127.0.0.1.
    static constexpr ipv4_address from_bits(std::uint32_t bits) noexcept {
        ipv4_address address;
        address.bits_ = bits;
        return address;
    }
    static constexpr ipv4_address broadcast() noexcept { return {255, 255, 255, 255}; }
    static constexpr ipv4_address loopback() noexcept { return {127, 0, 0, 1}; }

    /// Four decimal numbers, with dots between: no octal or hexadecimal ones, no short forms. Errors: address_errc.
    static result<ipv4_address> parse(std::string_view text) noexcept {
        return read(text).to_result("parse an IPv4 address");
    }
    static constexpr reading::parsed<ipv4_address> read(std::string_view text) noexcept {
        if (text.empty())
            return {{}, address_errc::empty};
        std::uint32_t bits = 0;
        for (std::size_t at = 0; at < size; ++at) {
            if (at != 0 && !reading::take(text, '.'))
                return {{}, text.empty() ? address_errc::bad_count : address_errc::bad_character};
            const auto octet = reading::take_decimal(text, 255);
            if (!octet.is_good())
                return {{}, octet.failed};
            bits = bits << 8 | octet.value;
        }
        if (!text.empty())
            return {{}, text.front() == '.' ? address_errc::bad_count : address_errc::bad_character};
        return {from_bits(bits)};
    }

    [[nodiscard]] constexpr std::uint32_t bits() const noexcept { return bits_; }
    [[nodiscard]] constexpr std::array<std::uint8_t, size> octets() const noexcept {
        return {static_cast<std::uint8_t>(bits_ >> 24), static_cast<std::uint8_t>(bits_ >> 16),
                static_cast<std::uint8_t>(bits_ >> 8), static_cast<std::uint8_t>(bits_)};
    }

    [[nodiscard]] constexpr bool is_unspecified() const noexcept { return bits_ == 0; }
    /// 127.0.0.0/8. [rfc1122 3.2.1.3]
    [[nodiscard]] constexpr bool is_loopback() const noexcept { return bits_ >> 24 == 127; }
    /// 224.0.0.0/4. [rfc1112 4]
    [[nodiscard]] constexpr bool is_multicast() const noexcept { return bits_ >> 28 == 0xe; }
    /// 255.255.255.255; the broadcast address of one network is the affair of its ip_prefix. [rfc919 7]
    [[nodiscard]] constexpr bool is_broadcast() const noexcept { return bits_ == 0xffff'ffff; }
    /// 169.254.0.0/16. [rfc3927 2.1]
    [[nodiscard]] constexpr bool is_link_local() const noexcept { return bits_ >> 16 == 0xa9fe; }
    /// 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16. [rfc1918 3]
    [[nodiscard]] constexpr bool is_private() const noexcept {
        return bits_ >> 24 == 10 || bits_ >> 20 == 0xac1 || bits_ >> 16 == 0xc0a8;
    }
    /// What one host can have: no group, and neither 0.0.0.0/8 nor 240.0.0.0/4. [rfc1122 3.2.1.3]
    [[nodiscard]] constexpr bool is_unicast() const noexcept { return bits_ >> 24 != 0 && bits_ >> 28 < 0xe; }

    friend constexpr bool operator==(const ipv4_address&, const ipv4_address&) noexcept = default;
    friend constexpr auto operator<=>(const ipv4_address&, const ipv4_address&) noexcept = default;

    friend constexpr void describe(const ipv4_address& address, text_sink& out) noexcept {
        for (unsigned shift = 32; shift != 0; shift -= 8) {
            if (shift != 32)
                out.character('.');
            out.decimal(address.bits_ >> (shift - 8) & 0xff);
        }
    }
    [[nodiscard]] constexpr fixed_text<15> to_text() const noexcept {
        return fixed_text<15>{[this](text_sink& out) { describe(*this, out); }};
    }

private:
    std::uint32_t bits_ = 0;
};

namespace literals {
/// `"10.0.0.1"_ipv4`; what is no address does not compile.
consteval ipv4_address operator""_ipv4(const char* chars, std::size_t count) {
    return reading::require(ipv4_address::read({chars, count}));
}
}  // namespace literals

}  // namespace halvm::net

template <>
struct std::hash<halvm::net::ipv4_address> {
    std::size_t operator()(const halvm::net::ipv4_address& address) const noexcept {
        return halvm::reading::mix(address.bits());
    }
};
