// SPDX-License-Identifier: BSD-3-Clause
// IPv4 datagrams and their fragments. [rfc791]
#pragma once

#include <halvm/net/checksum.hpp>
#include <halvm/net/wire/options.hpp>

#include <array>

namespace halvm::net::wire {

namespace ipv4_field {
inline constexpr std::size_t version = 0, traffic_class = 1, total_length = 2, identification = 4, fragment = 6,
                             ttl = 8, protocol = 9, checksum = 10, source = 12, destination = 16, size = 20;
inline constexpr std::size_t greatest_header = 60, greatest_options = 40, greatest_datagram = 65535;
inline constexpr std::uint16_t dont_fragment = 0x4000, more_fragments = 0x2000, offset_mask = 0x1fff;
}  // namespace ipv4_field

/// The data that every link carries in one piece. [rfc791 3.2]
inline constexpr std::size_t ipv4_least_mtu = 68;

class ipv4_view {
public:
    /// `packet` may be longer than the datagram, as a padded frame's payload is. The checksum is not looked at: a
    /// device may have done that. Errors: truncated; bad_version; bad_length for a header length or total length that
    /// cannot be, for a fragment that ends beyond 65535 bytes and for one that is not the last and not of a multiple
    /// of 8 bytes; bad_option.
    static result<ipv4_view> parse(const_bytes packet) noexcept { return parse(packet, packet.size()); }
    /// The same of a packet of `size` bytes of which `packet` is the beginning: datagram() and payload() are as much
    /// as is there, total_length() is all. A header that is not there whole is truncated.
    static result<ipv4_view> parse(const_bytes packet, std::size_t size) noexcept {
        constexpr const char* attempted = "parse an IPv4 datagram";
        if (packet.size() < ipv4_field::size)
            return wire_failure(wire_errc::truncated, attempted);
        const std::uint8_t version = load8(packet, ipv4_field::version);
        if (version >> 4 != 4)
            return wire_failure(wire_errc::bad_version, attempted);
        const std::size_t header = (version & 0xfu) * 4;
        const std::size_t total = load16(packet, ipv4_field::total_length);
        if (header < ipv4_field::size || total < header)
            return wire_failure(wire_errc::bad_length, attempted);
        if (total > size || header > packet.size())
            return wire_failure(wire_errc::truncated, attempted);
        const std::uint16_t fragment = load16(packet, ipv4_field::fragment);
        if ((fragment & (ipv4_field::offset_mask | ipv4_field::more_fragments)) != 0) {
            const std::size_t piece = total - header;
            const bool has_next = (fragment & ipv4_field::more_fragments) != 0;
            if ((fragment & ipv4_field::offset_mask) * 8u + total > ipv4_field::greatest_datagram || piece == 0 ||
                (has_next && piece % 8 != 0))
                return wire_failure(wire_errc::bad_length, attempted);
        }
        if (!option_list::is_well_formed(packet.subspan(ipv4_field::size, header - ipv4_field::size)))
            return wire_failure(wire_errc::bad_option, attempted);
        return ipv4_view{packet.first(std::min(total, packet.size())), header};
    }

    [[nodiscard]] constexpr ipv4_address source() const noexcept { return load_ipv4(datagram_, ipv4_field::source); }
    [[nodiscard]] constexpr ipv4_address destination() const noexcept {
        return load_ipv4(datagram_, ipv4_field::destination);
    }
    [[nodiscard]] constexpr ip_protocol protocol() const noexcept {
        return ip_protocol{load8(datagram_, ipv4_field::protocol)};
    }
    /// The router that makes it 0 drops the datagram.
    [[nodiscard]] constexpr std::uint8_t ttl() const noexcept { return load8(datagram_, ipv4_field::ttl); }
    /// Differentiated services in the upper 6 bits, congestion in the lower 2. [rfc2474 3] [rfc3168 5]
    [[nodiscard]] constexpr std::uint8_t traffic_class() const noexcept {
        return load8(datagram_, ipv4_field::traffic_class);
    }
    [[nodiscard]] constexpr std::uint16_t identification() const noexcept {
        return load16(datagram_, ipv4_field::identification);
    }
    [[nodiscard]] constexpr bool may_not_be_fragmented() const noexcept {
        return (load16(datagram_, ipv4_field::fragment) & ipv4_field::dont_fragment) != 0;
    }
    [[nodiscard]] constexpr bool has_more_fragments() const noexcept {
        return (load16(datagram_, ipv4_field::fragment) & ipv4_field::more_fragments) != 0;
    }
    /// Where the payload begins in the whole one's, in bytes.
    [[nodiscard]] constexpr std::size_t fragment_offset() const noexcept {
        return (load16(datagram_, ipv4_field::fragment) & ipv4_field::offset_mask) * std::size_t{8};
    }
    [[nodiscard]] constexpr bool is_fragment() const noexcept { return has_more_fragments() || fragment_offset() != 0; }
    [[nodiscard]] constexpr const_bytes option_area() const noexcept {
        return datagram_.subspan(ipv4_field::size, header_size_ - ipv4_field::size);
    }
    [[nodiscard]] constexpr option_list options() const noexcept { return option_list{option_area()}; }
    /// Of header and payload, also when less is there.
    [[nodiscard]] constexpr std::size_t total_length() const noexcept {
        return load16(datagram_, ipv4_field::total_length);
    }
    [[nodiscard]] constexpr const_bytes header() const noexcept { return datagram_.first(header_size_); }
    [[nodiscard]] constexpr const_bytes payload() const noexcept { return datagram_.subspan(header_size_); }
    /// Header and payload, without padding.
    [[nodiscard]] constexpr const_bytes datagram() const noexcept { return datagram_; }

    /// Of the header. [rfc1122 3.2.1.2]
    [[nodiscard]] constexpr bool has_right_checksum() const noexcept { return checksum{header()}.is_right(); }

private:
    constexpr ipv4_view(const_bytes datagram, std::size_t header_size) noexcept
        : datagram_{datagram}, header_size_{header_size} {}

    const_bytes datagram_;
    std::size_t header_size_;
};

/// Options that were checked, padded to a multiple of 4 bytes.
class ipv4_options {
public:
    constexpr ipv4_options() noexcept = default;

    /// Errors: bad_option; bad_length if there are more than 40 bytes.
    static result<ipv4_options> parse(const_bytes area) noexcept {
        constexpr const char* attempted = "take IPv4 options";
        if (area.size() > ipv4_field::greatest_options)
            return wire_failure(wire_errc::bad_length, attempted);
        if (!option_list::is_well_formed(area))
            return wire_failure(wire_errc::bad_option, attempted);
        return ipv4_options{area};
    }
    static constexpr ipv4_options of(const ipv4_view& datagram) noexcept {
        return ipv4_options{datagram.option_area()};
    }
    /// Asks routers to look at the datagram. [rfc2113 2.1]
    static constexpr ipv4_options router_alert() noexcept {
        return ipv4_options{std::array{std::byte{148}, std::byte{4}, std::byte{0}, std::byte{0}}};
    }

    /// Those of all fragments but the first. [rfc791 3.1, copied flag]
    [[nodiscard]] constexpr ipv4_options copied() const noexcept {
        ipv4_options kept;
        for (const option one : option_list{area()}) {
            if ((one.kind & 0x80) != 0) {
                store8(kept.bytes_, kept.size_, one.kind);
                store8(kept.bytes_, kept.size_ + 1u, static_cast<std::uint8_t>(one.data.size() + 2));
                store_bytes(kept.bytes_, kept.size_ + 2u, one.data);
                kept.size_ = static_cast<std::uint8_t>(kept.size_ + one.data.size() + 2);
            }
        }
        kept.size_ = static_cast<std::uint8_t>((kept.size_ + 3) / 4 * 4);
        return kept;
    }

    [[nodiscard]] constexpr const_bytes area() const noexcept { return const_bytes{bytes_}.first(size_); }

    friend constexpr bool operator==(const ipv4_options&, const ipv4_options&) noexcept = default;

private:
    constexpr explicit ipv4_options(const_bytes area) noexcept
        : size_{static_cast<std::uint8_t>((area.size() + 3) / 4 * 4)} {
        store_bytes(bytes_, 0, area);
    }

    std::array<std::byte, ipv4_field::greatest_options> bytes_{};
    std::uint8_t size_ = 0;
};

struct ipv4_header {
    ipv4_address source;
    ipv4_address destination;
    ip_protocol protocol = ip_protocol::udp;
    std::uint8_t ttl = 64;
    std::uint8_t traffic_class = 0;
    std::uint16_t identification = 0;
    bool may_not_be_fragmented = false;
    bool has_more_fragments = false;
    std::uint16_t fragment_offset = 0;  // in bytes
    ipv4_options options{};

    [[nodiscard]] constexpr std::size_t size() const noexcept { return ipv4_field::size + options.area().size(); }

    /// The header of `payload_size` bytes that follow it, checksum included. Pre: `out` holds size() bytes; the
    /// datagram is at most 65535 bytes, also when put together of its fragments; a fragment has a payload, begins at
    /// a multiple of 8 and, but for the last, is a multiple of 8 long; `ttl` is not 0. [rfc1122 3.2.1.7]
    constexpr void write(bytes out, std::size_t payload_size) const noexcept {
        Expects(out.size() >= size());
        Expects(payload_size <= ipv4_field::greatest_datagram - size() - fragment_offset);
        Expects(fragment_offset % 8 == 0);
        Expects(!has_more_fragments || payload_size % 8 == 0);
        Expects(payload_size != 0 || (fragment_offset == 0 && !has_more_fragments));
        Expects(ttl != 0);
        out = out.first(size());
        store8(out, ipv4_field::version, static_cast<std::uint8_t>(0x40 | size() / 4));
        store8(out, ipv4_field::traffic_class, traffic_class);
        store16(out, ipv4_field::total_length, static_cast<std::uint16_t>(size() + payload_size));
        store16(out, ipv4_field::identification, identification);
        store16(
            out, ipv4_field::fragment,
            static_cast<std::uint16_t>((may_not_be_fragmented ? ipv4_field::dont_fragment : 0) |
                                       (has_more_fragments ? ipv4_field::more_fragments : 0) | fragment_offset / 8));
        store8(out, ipv4_field::ttl, ttl);
        store8(out, ipv4_field::protocol, static_cast<std::uint8_t>(protocol));
        store16(out, ipv4_field::checksum, 0);
        store_ipv4(out, ipv4_field::source, source);
        store_ipv4(out, ipv4_field::destination, destination);
        store_bytes(out, ipv4_field::size, options.area());
        store16(out, ipv4_field::checksum, checksum{out}.value());
    }

    friend constexpr bool operator==(const ipv4_header&, const ipv4_header&) noexcept = default;
};

constexpr ipv4_header header_of(const ipv4_view& datagram) noexcept {
    return {datagram.source(),
            datagram.destination(),
            datagram.protocol(),
            datagram.ttl(),
            datagram.traffic_class(),
            datagram.identification(),
            datagram.may_not_be_fragmented(),
            datagram.has_more_fragments(),
            static_cast<std::uint16_t>(datagram.fragment_offset()),
            ipv4_options::of(datagram)};
}

constexpr void describe(ip_protocol protocol, text_sink& out) noexcept {
    switch (protocol) {
    case ip_protocol::icmp: return out.text("ICMP");
    case ip_protocol::igmp: return out.text("IGMP");
    case ip_protocol::tcp: return out.text("TCP");
    case ip_protocol::udp: return out.text("UDP");
    case ip_protocol::icmpv6: return out.text("ICMPv6");
    }
    out.text("protocol ");
    out.decimal(static_cast<std::uint8_t>(protocol));
}

/// "192.0.2.100 > 192.0.2.1, UDP, ttl 64, id 4660, length 28"; of a fragment also "offset 1480+", where + says that
/// more follow.
constexpr void describe(const ipv4_view& datagram, text_sink& out) noexcept {
    describe(datagram.source(), out);
    out.text(" > ");
    describe(datagram.destination(), out);
    out.text(", ");
    describe(datagram.protocol(), out);
    out.text(", ttl ");
    out.decimal(datagram.ttl());
    if (datagram.is_fragment()) {
        out.text(", id ");
        out.decimal(datagram.identification());
        out.text(", offset ");
        out.decimal(datagram.fragment_offset());
        out.text(datagram.has_more_fragments() ? "+" : "");
    }
    out.text(", length ");
    out.decimal(datagram.datagram().size());
}

}  // namespace halvm::net::wire
