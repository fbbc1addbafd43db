// SPDX-License-Identifier: BSD-3-Clause
// Ethernet II frames, and the VLAN tag that may follow their addresses. A frame with a length in place of a type,
// which is IEEE 802.3's, is none of ours. [rfc894] [ieee802.1q 9.6]
#pragma once

#include <halvm/net/wire/fields.hpp>

namespace halvm::net::wire {

enum class ethertype : std::uint16_t { ipv4 = 0x0800, arp = 0x0806, vlan = 0x8100, ipv6 = 0x86dd };

namespace ethernet_field {
inline constexpr std::size_t destination = 0, source = 6, type = 12, size = 14;
inline constexpr std::uint16_t least_type = 0x0600;
}  // namespace ethernet_field

namespace vlan_field {
inline constexpr std::size_t control = 0, type = 2, size = 4;
}  // namespace vlan_field

class ethernet_view {
public:
    /// Errors: truncated; bad_type for an 802.3 length.
    static result<ethernet_view> parse(const_bytes frame) noexcept {
        if (frame.size() < ethernet_field::size)
            return wire_failure(wire_errc::truncated, "parse an Ethernet frame");
        if (load16(frame, ethernet_field::type) < ethernet_field::least_type)
            return wire_failure(wire_errc::bad_type, "parse an Ethernet frame");
        return ethernet_view{frame};
    }

    [[nodiscard]] constexpr mac_address destination() const noexcept {
        return load_mac(frame_, ethernet_field::destination);
    }
    [[nodiscard]] constexpr mac_address source() const noexcept { return load_mac(frame_, ethernet_field::source); }
    /// ethertype::vlan if there is a tag; then the payload begins with it.
    [[nodiscard]] constexpr ethertype type() const noexcept { return ethertype{load16(frame_, ethernet_field::type)}; }
    /// With the padding of short frames, which only the next protocol can tell from its own.
    [[nodiscard]] constexpr const_bytes payload() const noexcept { return frame_.subspan(ethernet_field::size); }

private:
    constexpr explicit ethernet_view(const_bytes frame) noexcept : frame_{frame} {}

    const_bytes frame_;
};

/// The payload of a frame of type `vlan`.
class vlan_view {
public:
    /// Errors: truncated; bad_type for an 802.3 length.
    static result<vlan_view> parse(const_bytes tagged) noexcept {
        if (tagged.size() < vlan_field::size)
            return wire_failure(wire_errc::truncated, "parse a VLAN tag");
        if (load16(tagged, vlan_field::type) < ethernet_field::least_type)
            return wire_failure(wire_errc::bad_type, "parse a VLAN tag");
        return vlan_view{tagged};
    }

    /// The VLAN; 0 is none, only a priority.
    [[nodiscard]] constexpr std::uint16_t id() const noexcept { return load16(tagged_, vlan_field::control) & 0xfff; }
    [[nodiscard]] constexpr std::uint8_t priority() const noexcept {
        return static_cast<std::uint8_t>(load8(tagged_, vlan_field::control) >> 5);
    }
    [[nodiscard]] constexpr ethertype type() const noexcept { return ethertype{load16(tagged_, vlan_field::type)}; }
    [[nodiscard]] constexpr const_bytes payload() const noexcept { return tagged_.subspan(vlan_field::size); }

private:
    constexpr explicit vlan_view(const_bytes tagged) noexcept : tagged_{tagged} {}

    const_bytes tagged_;
};

struct ethernet_header {
    mac_address destination;
    mac_address source;
    ethertype type = ethertype::ipv4;

    static constexpr std::size_t size() noexcept { return ethernet_field::size; }

    /// Pre: `out` holds size() bytes; `type` is 0x0600 or more.
    constexpr void write(bytes out) const noexcept {
        Expects(out.size() >= size());
        Expects(static_cast<std::uint16_t>(type) >= ethernet_field::least_type);
        store_mac(out, ethernet_field::destination, destination);
        store_mac(out, ethernet_field::source, source);
        store16(out, ethernet_field::type, static_cast<std::uint16_t>(type));
    }

    friend constexpr bool operator==(const ethernet_header&, const ethernet_header&) noexcept = default;
};

constexpr ethernet_header header_of(const ethernet_view& frame) noexcept {
    return {frame.destination(), frame.source(), frame.type()};
}

constexpr void describe(ethertype type, text_sink& out) noexcept {
    switch (type) {
    case ethertype::ipv4: return out.text("IPv4");
    case ethertype::arp: return out.text("ARP");
    case ethertype::vlan: return out.text("VLAN");
    case ethertype::ipv6: return out.text("IPv6");
    }
    out.text("ethertype 0x");
    out.hex(static_cast<std::uint16_t>(type), 4);
}

/// "02:00:00:00:00:0a > ff:ff:ff:ff:ff:ff, ARP, length 42"
constexpr void describe(const ethernet_view& frame, text_sink& out) noexcept {
    describe(frame.source(), out);
    out.text(" > ");
    describe(frame.destination(), out);
    out.text(", ");
    describe(frame.type(), out);
    out.text(", length ");
    out.decimal(frame.payload().size() + ethernet_field::size);
}

/// "vlan 7, p 0, IPv4"
constexpr void describe(const vlan_view& tag, text_sink& out) noexcept {
    out.text("vlan ");
    out.decimal(tag.id());
    out.text(", p ");
    out.decimal(tag.priority());
    out.text(", ");
    describe(tag.type(), out);
}

}  // namespace halvm::net::wire
