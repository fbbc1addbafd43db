// SPDX-License-Identifier: BSD-3-Clause
// An IPv6 address. [rfc4291]
#pragma once

#include <halvm/net/ipv4_address.hpp>

namespace halvm::net {

class ipv6_address {
public:
    static constexpr std::size_t size = 16;

    /// ::
    constexpr ipv6_address() noexcept = default;
    /// From two numbers whose highest bytes are the first.
    constexpr ipv6_address(std::uint64_t high, std::uint64_t low) noexcept : high_{high}, low_{low} {}
    static constexpr ipv6_address loopback() noexcept { return {0, 1}; }
    /// ::ffff:a.b.c.d [rfc4291 2.5.5.2]
    static constexpr ipv6_address mapped(ipv4_address address) noexcept {
        return {0, 0xffff'0000'0000u | address.bits()};
    }

    /// Eight groups of one to four hexadecimal digits; "::" once for one or more zero groups; the last two groups may
    /// be an IPv4 address. No zone. Errors: address_errc. [rfc4291 2.2]
    static result<ipv6_address> parse(std::string_view text) noexcept {
        return read(text).to_result("parse an IPv6 address");
    }
    static constexpr reading::parsed<ipv6_address> read(std::string_view text) noexcept;

    [[nodiscard]] constexpr std::uint64_t high_bits() const noexcept { return high_; }
    [[nodiscard]] constexpr std::uint64_t low_bits() const noexcept { return low_; }
    /// One of eight.
    [[nodiscard]] constexpr std::uint16_t group(unsigned at) const noexcept {
        return static_cast<std::uint16_t>((at < 4 ? high_ : low_) >> (48 - at % 4 * 16));
    }

    [[nodiscard]] constexpr bool is_unspecified() const noexcept { return (high_ | low_) == 0; }
    /// ::1 [rfc4291 2.5.3]
    [[nodiscard]] constexpr bool is_loopback() const noexcept { return *this == loopback(); }
    /// ff00::/8 [rfc4291 2.7]
    [[nodiscard]] constexpr bool is_multicast() const noexcept { return high_ >> 56 == 0xff; }
    /// fe80::/10 [rfc4291 2.5.6]
    [[nodiscard]] constexpr bool is_link_local() const noexcept { return high_ >> 54 == 0x3fa; }
    /// Unique local, fc00::/7. [rfc4193 3.1]
    [[nodiscard]] constexpr bool is_private() const noexcept { return high_ >> 57 == 0x7e; }
    [[nodiscard]] constexpr bool is_v4_mapped() const noexcept { return high_ == 0 && low_ >> 32 == 0xffff; }
    [[nodiscard]] constexpr bool is_unicast() const noexcept { return !is_unspecified() && !is_multicast(); }

    friend constexpr bool operator==(const ipv6_address&, const ipv6_address&) noexcept = default;
    friend constexpr auto operator<=>(const ipv6_address&, const ipv6_address&) noexcept = default;

    /// The one canonical text: lower case, no zeros in front, "::" for the first longest run of two or more zero
    /// groups, a mapped address with its dots. [rfc5952 4, 5]
    friend constexpr void describe(const ipv6_address& address, text_sink& out) noexcept {
        if (address.is_v4_mapped()) {
            out.text("::ffff:");
            describe(ipv4_address::from_bits(static_cast<std::uint32_t>(address.low_)), out);
            return;
        }
        unsigned best = 8, best_count = 1;
        for (unsigned at = 0; at < 8; ++at) {
            unsigned count = 0;
            while (at + count < 8 && address.group(at + count) == 0)
                ++count;
            if (count > best_count) {
                best = at;
                best_count = count;
            }
        }
        for (unsigned at = 0; at < 8;) {
            if (at == best) {
                out.text("::");
                at += best_count;
                continue;
            }
            if (at != 0 && at != best + best_count)
                out.character(':');
            out.hex(address.group(at++));
        }
    }
    [[nodiscard]] constexpr fixed_text<39> to_text() const noexcept {
        return fixed_text<39>{[this](text_sink& out) { describe(*this, out); }};
    }

private:
    std::uint64_t high_ = 0;
    std::uint64_t low_ = 0;
};

constexpr reading::parsed<ipv6_address> ipv6_address::read(std::string_view text) noexcept {
    if (text.empty())
        return {{}, address_errc::empty};
    std::array<std::uint16_t, 8> groups{};
    std::size_t count = 0;
    std::size_t gap = 9;  // how many groups stand before "::"
    if (text.starts_with("::")) {
        gap = 0;
        text.remove_prefix(2);
    }
    while (!text.empty()) {
        if (count == groups.size())
            return {{}, address_errc::bad_count};
        const std::string_view number = text;
        const auto group = reading::take_hex(text, 4);
        if (!text.empty() && text.front() == '.') {
            const auto last = ipv4_address::read(number);
            if (!last.is_good())
                return {{}, last.failed};
            if (count > 6)
                return {{}, address_errc::bad_count};
            groups[count++] = static_cast<std::uint16_t>(last.value.bits() >> 16);
            groups[count++] = static_cast<std::uint16_t>(last.value.bits());
            text = {};
            break;
        }
        if (!group.is_good())
            return {{}, group.failed};
        groups[count++] = static_cast<std::uint16_t>(group.value);
        if (text.empty())
            break;
        if (!reading::take(text, ':'))
            return {{}, address_errc::bad_character};
        if (reading::take(text, ':')) {
            if (gap != 9)
                return {{}, address_errc::bad_count};
            gap = count;
        } else if (text.empty()) {
            return {{}, address_errc::bad_character};
        }
    }
    if (gap == 9 ? count != groups.size() : count == groups.size())
        return {{}, address_errc::bad_count};
    std::uint64_t halves[2]{};
    for (std::size_t at = 0; at < count; ++at) {
        const std::size_t place = at < gap ? at : at + groups.size() - count;
        halves[place / 4] |= static_cast<std::uint64_t>(groups[at]) << (48 - place % 4 * 16);
    }
    return {ipv6_address{halves[0], halves[1]}};
}

namespace literals {
consteval ipv6_address operator""_ipv6(const char* chars, std::size_t count) {
    return reading::require(ipv6_address::read({chars, count}));
}
}  // namespace literals

}  // namespace halvm::net

template <>
struct std::hash<halvm::net::ipv6_address> {
    std::size_t operator()(const halvm::net::ipv6_address& address) const noexcept {
        return halvm::reading::mix(halvm::reading::mix(address.high_bits()) ^ address.low_bits());
    }
};
