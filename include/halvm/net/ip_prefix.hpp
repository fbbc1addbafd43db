// SPDX-License-Identifier: BSD-3-Clause
// A network: all addresses that begin with the same bits, as "10.0.0.0/8" or "2001:db8::/32"; and an address
// together with the network that it is in. [rfc4632 3.1] [rfc4291 2.3]
#pragma once

#include <halvm/net/ip_address.hpp>

#include <bit>
#include <optional>

namespace halvm::net {

class ip_prefix {
public:
    /// 0.0.0.0/0, which holds every IPv4 address.
    constexpr ip_prefix() noexcept = default;
    /// The network that `address` is in. Pre: `length` is at most address.width().
    constexpr ip_prefix(ip_address address, unsigned length) noexcept
        : address_{cut(address, length)}, length_{static_cast<std::uint8_t>(length)} {}

    /// Bits behind the length are an error: what was meant may be interface_address. Errors: address_errc.
    static result<ip_prefix> parse(std::string_view text) noexcept { return read(text).to_result("parse a prefix"); }
    static constexpr reading::parsed<ip_prefix> read(std::string_view text) noexcept;

    /// The length of a netmask; nothing if its ones are not all in front. [rfc1519 2]
    static constexpr std::optional<unsigned> length_of_mask(ipv4_address mask) noexcept {
        const auto ones = static_cast<unsigned>(std::countl_one(mask.bits()));
        if (std::popcount(mask.bits()) != static_cast<int>(ones))
            return std::nullopt;
        return ones;
    }

    /// The first address.
    [[nodiscard]] constexpr const ip_address& address() const noexcept { return address_; }
    [[nodiscard]] constexpr unsigned length() const noexcept { return length_; }

    /// False for an address of the other family.
    [[nodiscard]] constexpr bool contains(const ip_address& address) const noexcept {
        return address.family() == address_.family() && cut(address, length_) == address_;
    }
    [[nodiscard]] constexpr bool contains(const ip_prefix& other) const noexcept {
        return other.length_ >= length_ && contains(other.address_);
    }
    /// Of an IPv4 network of more than two addresses, its last one. [rfc922 7] [rfc3021 2.1]
    [[nodiscard]] constexpr std::optional<ipv4_address> broadcast() const noexcept {
        if (!address_.is_v4() || length_ > 30)
            return std::nullopt;
        return ipv4_address::from_bits(address_.v4().bits() | 0xffff'ffffu >> length_);
    }
    /// Pre: address().is_v4().
    [[nodiscard]] constexpr ipv4_address mask() const noexcept {
        return cut(ip_address{ipv4_address::broadcast()}, length_).v4();
    }

    friend constexpr bool operator==(const ip_prefix&, const ip_prefix&) noexcept = default;
    friend constexpr auto operator<=>(const ip_prefix&, const ip_prefix&) noexcept = default;

    friend constexpr void describe(const ip_prefix& prefix, text_sink& out) noexcept {
        describe(prefix.address_, out);
        out.character('/');
        out.decimal(prefix.length_);
    }
    [[nodiscard]] constexpr fixed_text<43> to_text() const noexcept {
        return fixed_text<43>{[this](text_sink& out) { describe(*this, out); }};
    }

private:
    static constexpr ip_address cut(const ip_address& address, unsigned length) noexcept {
        Expects(length <= address.width());
        if (address.is_v4())
            return ipv4_address::from_bits(
                static_cast<std::uint32_t>(address.v4().bits() & ~(0xffff'ffffull >> length)));
        const ipv6_address whole = address.v6();
        const auto mask = [](unsigned ones) { return ones == 0 ? 0 : ~std::uint64_t{0} << (64 - ones); };
        return ipv6_address{whole.high_bits() & mask(length < 64 ? length : 64),
                            whole.low_bits() & mask(length < 64 ? 0 : length - 64)};
    }

    ip_address address_;
    std::uint8_t length_ = 0;
};

/// What an interface is given: an address, and how much of it is the network's: "10.0.0.2/24".
class interface_address {
public:
    /// Pre: `length` is at most address.width().
    constexpr interface_address(ip_address address, unsigned length) noexcept
        : address_{address}, network_{address, length} {}
    constexpr interface_address() noexcept = default;
    /// A literal, which the compiler checks: "10.0.0.2/24".
    template <std::size_t Size>
    consteval interface_address(const char (&text)[Size])
        : interface_address{reading::require(read({text, Size - 1}))} {}

    /// Errors: address_errc.
    static result<interface_address> parse(std::string_view text) noexcept {
        return read(text).to_result("parse an interface's address");
    }
    static constexpr reading::parsed<interface_address> read(std::string_view text) noexcept {
        if (text.empty())
            return {{}, address_errc::empty};
        const std::size_t slash = text.find('/');
        if (slash == std::string_view::npos)
            return {{}, address_errc::bad_character};
        const auto address = ip_address::read(text.substr(0, slash));
        if (!address.is_good())
            return {{}, address.failed};
        std::string_view rest = text.substr(slash + 1);
        const auto length = reading::take_decimal(rest, address.value.width());
        if (length.failed == address_errc::number_too_big)
            return {{}, address_errc::bad_prefix};
        if (!length.is_good() || !rest.empty())
            return {{}, length.is_good() ? address_errc::bad_character : length.failed};
        return {interface_address{address.value, length.value}};
    }

    [[nodiscard]] constexpr const ip_address& address() const noexcept { return address_; }
    [[nodiscard]] constexpr const ip_prefix& network() const noexcept { return network_; }

    friend constexpr bool operator==(const interface_address&, const interface_address&) noexcept = default;

    friend constexpr void describe(const interface_address& whole, text_sink& out) noexcept {
        describe(whole.address_, out);
        out.character('/');
        out.decimal(whole.network_.length());
    }
    [[nodiscard]] constexpr fixed_text<43> to_text() const noexcept {
        return fixed_text<43>{[this](text_sink& out) { describe(*this, out); }};
    }

private:
    ip_address address_;
    ip_prefix network_;
};

constexpr reading::parsed<ip_prefix> ip_prefix::read(std::string_view text) noexcept {
    const auto whole = interface_address::read(text);
    if (!whole.is_good())
        return {{}, whole.failed};
    if (whole.value.address() != whole.value.network().address())
        return {{}, address_errc::host_bits_set};
    return {whole.value.network()};
}

namespace literals {
consteval ip_prefix operator""_prefix(const char* chars, std::size_t count) {
    return reading::require(ip_prefix::read({chars, count}));
}
}  // namespace literals

}  // namespace halvm::net

template <>
struct std::hash<halvm::net::ip_prefix> {
    std::size_t operator()(const halvm::net::ip_prefix& prefix) const noexcept {
        return halvm::reading::mix(std::hash<halvm::net::ip_address>{}(prefix.address()) + prefix.length());
    }
};
