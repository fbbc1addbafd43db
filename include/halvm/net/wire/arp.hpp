// SPDX-License-Identifier: BSD-3-Clause
// ARP for IPv4 on Ethernet, the only kind there is. [rfc826] [rfc5227]
#pragma once

#include <halvm/net/wire/ethernet.hpp>

namespace halvm::net::wire {

enum class arp_operation : std::uint16_t { request = 1, reply = 2 };

namespace arp_field {
inline constexpr std::size_t hardware = 0, protocol = 2, hardware_size = 4, protocol_size = 5, operation = 6,
                             sender_mac = 8, sender = 14, target_mac = 18, target = 24, size = 28;
inline constexpr std::uint16_t ethernet = 1;
}  // namespace arp_field

class arp_view {
public:
    /// Bytes behind the packet are padding. Errors: truncated; bad_type for other hardware, another protocol or
    /// another operation; bad_length for addresses of other lengths; bad_value when the sender's hardware address is
    /// a group's or none, which must not be believed. [rfc1812 3.3.2]
    static result<arp_view> parse(const_bytes packet) noexcept {
        constexpr const char* attempted = "parse an ARP packet";
        if (packet.size() < arp_field::size)
            return wire_failure(wire_errc::truncated, attempted);
        if (load16(packet, arp_field::hardware) != arp_field::ethernet ||
            load16(packet, arp_field::protocol) != static_cast<std::uint16_t>(ethertype::ipv4))
            return wire_failure(wire_errc::bad_type, attempted);
        if (load8(packet, arp_field::hardware_size) != mac_address::size ||
            load8(packet, arp_field::protocol_size) != ipv4_address::size)
            return wire_failure(wire_errc::bad_length, attempted);
        const auto operation = arp_operation{load16(packet, arp_field::operation)};
        if (operation != arp_operation::request && operation != arp_operation::reply)
            return wire_failure(wire_errc::bad_type, attempted);
        if (!load_mac(packet, arp_field::sender_mac).is_unicast())
            return wire_failure(wire_errc::bad_value, attempted);
        return arp_view{packet.first(arp_field::size)};
    }

    [[nodiscard]] constexpr arp_operation operation() const noexcept {
        return arp_operation{load16(packet_, arp_field::operation)};
    }
    [[nodiscard]] constexpr mac_address sender_mac() const noexcept { return load_mac(packet_, arp_field::sender_mac); }
    /// 0.0.0.0 in a probe. [rfc5227 2.1.1]
    [[nodiscard]] constexpr ipv4_address sender() const noexcept { return load_ipv4(packet_, arp_field::sender); }
    /// Of no meaning in a request.
    [[nodiscard]] constexpr mac_address target_mac() const noexcept { return load_mac(packet_, arp_field::target_mac); }
    [[nodiscard]] constexpr ipv4_address target() const noexcept { return load_ipv4(packet_, arp_field::target); }

private:
    constexpr explicit arp_view(const_bytes packet) noexcept : packet_{packet} {}

    const_bytes packet_;
};

struct arp_packet {
    arp_operation operation = arp_operation::request;
    mac_address sender_mac;
    ipv4_address sender;
    mac_address target_mac;
    ipv4_address target;

    /// Who has `target`?
    static constexpr arp_packet request(mac_address own_mac, ipv4_address own, ipv4_address target) noexcept {
        return {arp_operation::request, own_mac, own, {}, target};
    }
    /// Has anyone `target`? Asked before it is used, so that nobody learns it yet. [rfc5227 2.1.1]
    static constexpr arp_packet probe(mac_address own_mac, ipv4_address target) noexcept {
        return request(own_mac, {}, target);
    }
    /// `own` is ours now. [rfc5227 2.3]
    static constexpr arp_packet announcement(mac_address own_mac, ipv4_address own) noexcept {
        return request(own_mac, own, own);
    }
    /// The answer to a request for `own`, which is on `own_mac`.
    static constexpr arp_packet reply_to(const arp_view& request, mac_address own_mac, ipv4_address own) noexcept {
        return {arp_operation::reply, own_mac, own, request.sender_mac(), request.sender()};
    }

    static constexpr std::size_t size() noexcept { return arp_field::size; }

    /// Pre: `out` holds size() bytes; `sender_mac` is one interface's.
    constexpr void write(bytes out) const noexcept {
        Expects(out.size() >= size());
        Expects(sender_mac.is_unicast());
        Expects(operation == arp_operation::request || operation == arp_operation::reply);
        store16(out, arp_field::hardware, arp_field::ethernet);
        store16(out, arp_field::protocol, static_cast<std::uint16_t>(ethertype::ipv4));
        store8(out, arp_field::hardware_size, mac_address::size);
        store8(out, arp_field::protocol_size, ipv4_address::size);
        store16(out, arp_field::operation, static_cast<std::uint16_t>(operation));
        store_mac(out, arp_field::sender_mac, sender_mac);
        store_ipv4(out, arp_field::sender, sender);
        store_mac(out, arp_field::target_mac, target_mac);
        store_ipv4(out, arp_field::target, target);
    }

    friend constexpr bool operator==(const arp_packet&, const arp_packet&) noexcept = default;
};

constexpr arp_packet packet_of(const arp_view& view) noexcept {
    return {view.operation(), view.sender_mac(), view.sender(), view.target_mac(), view.target()};
}

/// "ARP, who-has 192.0.2.1 tell 192.0.2.100" or "ARP, 192.0.2.1 is-at 02:00:00:00:00:0b"
constexpr void describe(const arp_view& packet, text_sink& out) noexcept {
    const bool asks = packet.operation() == arp_operation::request;
    out.text(asks ? "ARP, who-has " : "ARP, ");
    describe(asks ? packet.target() : packet.sender(), out);
    out.text(asks ? " tell " : " is-at ");
    if (asks)
        describe(packet.sender(), out);
    else
        describe(packet.sender_mac(), out);
}

}  // namespace halvm::net::wire
