// SPDX-License-Identifier: BSD-3-Clause
// An IPv4 or IPv6 address. All that is not about one family takes these.
#pragma once

#include <halvm/contract.hpp>
#include <halvm/net/ipv6_address.hpp>

namespace halvm::net {

enum class ip_family : std::uint8_t { v4, v6 };

class ip_address {
public:
    /// 0.0.0.0.
    constexpr ip_address() noexcept = default;
    constexpr ip_address(ipv4_address address) noexcept : bits_{0, address.bits()} {}
    constexpr ip_address(ipv6_address address) noexcept : family_{ip_family::v6}, bits_{address} {}

    /// A text with a colon is IPv6's, any other IPv4's. Errors: address_errc.
    static result<ip_address> parse(std::string_view text) noexcept {
        return read(text).to_result("parse an IP address");
    }
    static constexpr reading::parsed<ip_address> read(std::string_view text) noexcept {
        if (text.find(':') != std::string_view::npos) {
            const auto address = ipv6_address::read(text);
            return {address.value, address.failed};
        }
        const auto address = ipv4_address::read(text);
        return {address.value, address.failed};
    }

    [[nodiscard]] constexpr ip_family family() const noexcept { return family_; }
    [[nodiscard]] constexpr bool is_v4() const noexcept { return family_ == ip_family::v4; }
    [[nodiscard]] constexpr bool is_v6() const noexcept { return family_ == ip_family::v6; }
    /// In bits, 32 or 128.
    [[nodiscard]] constexpr unsigned width() const noexcept { return is_v4() ? 32 : 128; }

    /// Pre: is_v4().
    [[nodiscard]] constexpr ipv4_address v4() const noexcept {
        Expects(is_v4());
        return ipv4_address::from_bits(static_cast<std::uint32_t>(bits_.low_bits()));
    }
    /// Pre: is_v6(). An IPv4 address is not made a mapped one by itself.
    [[nodiscard]] constexpr ipv6_address v6() const noexcept {
        Expects(is_v6());
        return bits_;
    }
    /// `act` on the address of the family that it is of.
    template <class Act>
    constexpr auto visit(Act act) const {
        return is_v4() ? act(v4()) : act(v6());
    }

    [[nodiscard]] constexpr bool is_unspecified() const noexcept { return bits_.is_unspecified(); }
    [[nodiscard]] constexpr bool is_loopback() const noexcept {
        return visit([](auto address) { return address.is_loopback(); });
    }
    [[nodiscard]] constexpr bool is_multicast() const noexcept {
        return visit([](auto address) { return address.is_multicast(); });
    }
    [[nodiscard]] constexpr bool is_link_local() const noexcept {
        return visit([](auto address) { return address.is_link_local(); });
    }
    [[nodiscard]] constexpr bool is_private() const noexcept {
        return visit([](auto address) { return address.is_private(); });
    }
    [[nodiscard]] constexpr bool is_unicast() const noexcept {
        return visit([](auto address) { return address.is_unicast(); });
    }
    /// 255.255.255.255; IPv6 has none.
    [[nodiscard]] constexpr bool is_broadcast() const noexcept { return is_v4() && v4().is_broadcast(); }

    /// IPv4 comes before IPv6; an IPv4 address and its mapped one differ.
    friend constexpr bool operator==(const ip_address&, const ip_address&) noexcept = default;
    friend constexpr auto operator<=>(const ip_address&, const ip_address&) noexcept = default;

    friend constexpr void describe(const ip_address& address, text_sink& out) noexcept {
        address.visit([&out](auto one) { describe(one, out); });
    }
    [[nodiscard]] constexpr fixed_text<39> to_text() const noexcept {
        return fixed_text<39>{[this](text_sink& out) { describe(*this, out); }};
    }

private:
    ip_family family_ = ip_family::v4;
    ipv6_address bits_;  // an IPv4 address is in the low 32 bits
};

namespace literals {
consteval ip_address operator""_ip(const char* chars, std::size_t count) {
    return reading::require(ip_address::read({chars, count}));
}
}  // namespace literals

}  // namespace halvm::net

template <>
struct std::hash<halvm::net::ip_address> {
    std::size_t operator()(const halvm::net::ip_address& address) const noexcept {
        return address.visit([](auto one) { return std::hash<decltype(one)>{}(one); });
    }
};
