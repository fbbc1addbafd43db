// SPDX-License-Identifier: BSD-3-Clause
// UDP datagrams, over IPv4 and IPv6. [rfc768] [rfc1122 4.1]
#pragma once

#include <halvm/net/checksum.hpp>
#include <halvm/net/wire/fields.hpp>

namespace halvm::net::wire {

namespace udp_field {
inline constexpr std::size_t source_port = 0, destination_port = 2, length = 4, checksum = 6, size = 8;
inline constexpr std::size_t greatest_datagram = 65535;
}  // namespace udp_field

class udp_view {
public:
    /// What follows the datagram's own length is not of it. Errors: truncated; bad_length for one below the header's.
    static result<udp_view> parse(const_bytes segment) noexcept { return parse(segment, segment.size()); }
    /// The same of a segment of `size` bytes of which `segment` is the beginning: payload() is as much as is there,
    /// length() is all.
    static result<udp_view> parse(const_bytes segment, std::size_t size) noexcept {
        constexpr const char* attempted = "parse a UDP datagram";
        if (segment.size() < udp_field::size)
            return wire_failure(wire_errc::truncated, attempted);
        const std::size_t length = load16(segment, udp_field::length);
        if (length < udp_field::size)
            return wire_failure(wire_errc::bad_length, attempted);
        if (length > size)
            return wire_failure(wire_errc::truncated, attempted);
        return udp_view{segment.first(std::min(length, segment.size()))};
    }

    /// 0 when no answer is wanted.
    [[nodiscard]] constexpr std::uint16_t source_port() const noexcept {
        return load16(datagram_, udp_field::source_port);
    }
    [[nodiscard]] constexpr std::uint16_t destination_port() const noexcept {
        return load16(datagram_, udp_field::destination_port);
    }
    /// Of header and payload, also when less is there.
    [[nodiscard]] constexpr std::size_t length() const noexcept { return load16(datagram_, udp_field::length); }
    [[nodiscard]] constexpr const_bytes payload() const noexcept { return datagram_.subspan(udp_field::size); }

    /// The sender may leave it out over IPv4, and over IPv6 for tunnels only. [rfc768] [rfc8200 8.1]
    [[nodiscard]] constexpr bool has_checksum() const noexcept { return load16(datagram_, udp_field::checksum) != 0; }
    /// Whether the datagram is as it was sent between these two, as far as one can tell: true without a checksum.
    [[nodiscard]] constexpr bool has_right_checksum(const ip_address& source,
                                                    const ip_address& destination) const noexcept {
        if (!has_checksum())
            return true;
        auto sum = checksum::pseudo_header(source, destination, ip_protocol::udp, datagram_.size());
        sum.add(datagram_);
        return sum.is_right();
    }

private:
    constexpr explicit udp_view(const_bytes datagram) noexcept : datagram_{datagram} {}

    const_bytes datagram_;
};

struct udp_header {
    std::uint16_t source_port = 0;
    std::uint16_t destination_port = 0;

    static constexpr std::size_t size() noexcept { return udp_field::size; }

    /// The header of a payload that `payload` has summed up. Pre: `out` holds size() bytes; header and payload are
    /// at most 65535 bytes; `destination_port` is not 0.
    constexpr void write(bytes out, const ip_address& source, const ip_address& destination,
                         const checksum& payload) const noexcept {
        checksum sum = write_without(out, source, destination, payload.size());
        sum.add(const_bytes{out.first(udp_field::size)});
        sum.add(payload);
        // 0 in the field would say that there is none; its other representation means the same sum.
        const std::uint16_t value = sum.value();
        store16(out, udp_field::checksum, value == 0 ? 0xffff : value);
    }
    /// The same for a device that completes the checksum: the field holds the pseudo-header's sum.
    constexpr void write_for_device(bytes out, const ip_address& source, const ip_address& destination,
                                    std::size_t payload_size) const noexcept {
        store16(out, udp_field::checksum, write_without(out, source, destination, payload_size).sum());
    }

    friend constexpr bool operator==(const udp_header&, const udp_header&) noexcept = default;

private:
    // Returns the sum of the pseudo-header.
    constexpr checksum write_without(bytes out, const ip_address& source, const ip_address& destination,
                                     std::size_t payload_size) const noexcept {
        Expects(out.size() >= size());
        Expects(payload_size <= udp_field::greatest_datagram - size());
        Expects(destination_port != 0);
        const std::size_t length = size() + payload_size;
        store16(out, udp_field::source_port, source_port);
        store16(out, udp_field::destination_port, destination_port);
        store16(out, udp_field::length, static_cast<std::uint16_t>(length));
        store16(out, udp_field::checksum, 0);
        return checksum::pseudo_header(source, destination, ip_protocol::udp, length);
    }
};

constexpr udp_header header_of(const udp_view& datagram) noexcept {
    return {datagram.source_port(), datagram.destination_port()};
}

/// "UDP 47292 > 53, length 33", where the length is the payload's.
constexpr void describe(const udp_view& datagram, text_sink& out) noexcept {
    out.text("UDP ");
    out.decimal(datagram.source_port());
    out.text(" > ");
    out.decimal(datagram.destination_port());
    out.text(", length ");
    out.decimal(datagram.payload().size());
}

}  // namespace halvm::net::wire
