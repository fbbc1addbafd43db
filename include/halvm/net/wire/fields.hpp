// SPDX-License-Identifier: BSD-3-Clause
// Fields of packets: numbers with the highest byte first, and addresses, at any alignment. Whoever calls these has
// checked that the field is there.
#pragma once

#include <halvm/bytes.hpp>
#include <halvm/contract.hpp>
#include <halvm/device/mac_address.hpp>
#include <halvm/net/errors.hpp>
#include <halvm/net/ip_address.hpp>
#include <halvm/text_sink.hpp>

#include <algorithm>

namespace halvm::net::literals {
using halvm::literals::operator""_mac;
}

namespace halvm::net::wire {

constexpr std::uint8_t load8(const_bytes from, std::size_t at) noexcept { return static_cast<std::uint8_t>(from[at]); }
constexpr std::uint16_t load16(const_bytes from, std::size_t at) noexcept {
    return static_cast<std::uint16_t>(load8(from, at) << 8 | load8(from, at + 1));
}
constexpr std::uint32_t load32(const_bytes from, std::size_t at) noexcept {
    return static_cast<std::uint32_t>(load8(from, at)) << 24 | static_cast<std::uint32_t>(load8(from, at + 1)) << 16 |
           static_cast<std::uint32_t>(load8(from, at + 2)) << 8 | load8(from, at + 3);
}
constexpr std::uint64_t load64(const_bytes from, std::size_t at) noexcept {
    return static_cast<std::uint64_t>(load32(from, at)) << 32 | load32(from, at + 4);
}
constexpr mac_address load_mac(const_bytes from, std::size_t at) noexcept {
    std::array<std::uint8_t, mac_address::size> octets{};
    for (std::size_t i = 0; i < octets.size(); ++i)
        octets[i] = load8(from, at + i);
    return mac_address{octets};
}
constexpr ipv4_address load_ipv4(const_bytes from, std::size_t at) noexcept {
    return ipv4_address::from_bits(load32(from, at));
}
constexpr ipv6_address load_ipv6(const_bytes from, std::size_t at) noexcept {
    return {load64(from, at), load64(from, at + 8)};
}

constexpr void store8(bytes to, std::size_t at, std::uint8_t value) noexcept { to[at] = std::byte{value}; }
constexpr void store16(bytes to, std::size_t at, std::uint16_t value) noexcept {
    store8(to, at, static_cast<std::uint8_t>(value >> 8));
    store8(to, at + 1, static_cast<std::uint8_t>(value));
}
constexpr void store32(bytes to, std::size_t at, std::uint32_t value) noexcept {
    store16(to, at, static_cast<std::uint16_t>(value >> 16));
    store16(to, at + 2, static_cast<std::uint16_t>(value));
}
constexpr void store_mac(bytes to, std::size_t at, const mac_address& address) noexcept {
    for (const std::uint8_t octet : address.octets())
        store8(to, at++, octet);
}
constexpr void store_ipv4(bytes to, std::size_t at, ipv4_address address) noexcept { store32(to, at, address.bits()); }
constexpr void store_bytes(bytes to, std::size_t at, const_bytes value) noexcept {
    std::copy(value.begin(), value.end(), to.begin() + static_cast<std::ptrdiff_t>(at));
}

}  // namespace halvm::net::wire
