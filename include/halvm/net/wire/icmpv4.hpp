// SPDX-License-Identifier: BSD-3-Clause
// ICMP for IPv4: echo, and the errors that hosts and routers report about a datagram, which they quote. [rfc792]
#pragma once

#include <halvm/net/wire/ipv4.hpp>

#include <optional>

namespace halvm::net::wire {

enum class icmpv4_type : std::uint8_t {
    echo_reply = 0,
    destination_unreachable = 3,
    source_quench = 4,
    redirect = 5,
    echo_request = 8,
    time_exceeded = 11,
    parameter_problem = 12,
};

/// Codes of destination_unreachable. [rfc792] [rfc1122 3.2.2.1] [rfc1812 5.2.7.1]
enum class unreachable_code : std::uint8_t {
    network = 0,
    host = 1,
    protocol = 2,
    port = 3,
    fragmentation_needed = 4,
    source_route_failed = 5,
    network_unknown = 6,
    host_unknown = 7,
    network_prohibited = 9,
    host_prohibited = 10,
    communication_prohibited = 13,
};

/// Codes of time_exceeded.
enum class exceeded_code : std::uint8_t { in_transit = 0, reassembly = 1 };

namespace icmpv4_field {
inline constexpr std::size_t type = 0, code = 1, checksum = 2, identifier = 4, sequence = 6, pointer = 4, mtu = 6,
                             size = 8;
/// With the IP header that goes before it, an error is at most 576 bytes. [rfc1812 4.3.2.3]
inline constexpr std::size_t greatest_quote = 576 - ipv4_field::size - size;
}  // namespace icmpv4_field

/// What an error quotes of the datagram that it is about: the header, and 8 bytes or more of what follows, unless
/// there were fewer. Routers on the way may have changed all but addresses, protocol and payload.
class icmpv4_quote {
public:
    /// Errors: truncated; bad_version; bad_length.
    static result<icmpv4_quote> parse(const_bytes quote) noexcept {
        constexpr const char* attempted = "parse the datagram in an ICMP error";
        if (quote.size() < ipv4_field::size)
            return wire_failure(wire_errc::truncated, attempted);
        const std::uint8_t version = load8(quote, ipv4_field::version);
        if (version >> 4 != 4)
            return wire_failure(wire_errc::bad_version, attempted);
        const std::size_t header = (version & 0xfu) * 4;
        const std::size_t total = load16(quote, ipv4_field::total_length);
        if (header < ipv4_field::size || total < header)
            return wire_failure(wire_errc::bad_length, attempted);
        if (quote.size() < std::min(total, header + 8))
            return wire_failure(wire_errc::truncated, attempted);
        return icmpv4_quote{quote.first(std::min(total, quote.size())), header};
    }

    [[nodiscard]] constexpr ipv4_address source() const noexcept { return load_ipv4(quote_, ipv4_field::source); }
    [[nodiscard]] constexpr ipv4_address destination() const noexcept {
        return load_ipv4(quote_, ipv4_field::destination);
    }
    [[nodiscard]] constexpr ip_protocol protocol() const noexcept {
        return ip_protocol{load8(quote_, ipv4_field::protocol)};
    }
    [[nodiscard]] constexpr std::size_t total_length() const noexcept {
        return load16(quote_, ipv4_field::total_length);
    }
    [[nodiscard]] constexpr std::uint16_t identification() const noexcept {
        return load16(quote_, ipv4_field::identification);
    }
    [[nodiscard]] constexpr std::size_t fragment_offset() const noexcept {
        return (load16(quote_, ipv4_field::fragment) & ipv4_field::offset_mask) * std::size_t{8};
    }
    /// Its beginning, at least 8 bytes if there were as many.
    [[nodiscard]] constexpr const_bytes payload() const noexcept { return quote_.subspan(header_size_); }

    struct ports {
        std::uint16_t source;
        std::uint16_t destination;
    };
    /// Nothing unless the quote begins a TCP segment or a UDP datagram.
    [[nodiscard]] constexpr std::optional<ports> transport_ports() const noexcept {
        if ((protocol() != ip_protocol::tcp && protocol() != ip_protocol::udp) || fragment_offset() != 0 ||
            payload().size() < 8)
            return std::nullopt;
        return ports{load16(payload(), 0), load16(payload(), 2)};
    }
    /// TCP's sequence number, by which a blind attacker's error is told from a router's. [rfc5927 4.1]
    [[nodiscard]] constexpr std::optional<std::uint32_t> tcp_sequence() const noexcept {
        if (protocol() != ip_protocol::tcp || !transport_ports())
            return std::nullopt;
        return load32(payload(), 4);
    }

private:
    constexpr icmpv4_quote(const_bytes quote, std::size_t header_size) noexcept
        : quote_{quote}, header_size_{header_size} {}

    const_bytes quote_;
    std::size_t header_size_;

    friend class icmpv4_view;
};

class icmpv4_view {
public:
    /// Messages of types that are not known here are views, too. Errors: truncated; what icmpv4_quote says about
    /// the datagram in an error.
    static result<icmpv4_view> parse(const_bytes message) noexcept {
        if (message.size() < icmpv4_field::size)
            return wire_failure(wire_errc::truncated, "parse an ICMP message");
        const icmpv4_view view{message};
        if (view.is_error()) {
            const auto quote = icmpv4_quote::parse(message.subspan(icmpv4_field::size));
            if (!quote)
                return failure{quote.error()};
        }
        return view;
    }

    [[nodiscard]] constexpr icmpv4_type type() const noexcept {
        return icmpv4_type{load8(message_, icmpv4_field::type)};
    }
    [[nodiscard]] constexpr std::uint8_t code() const noexcept { return load8(message_, icmpv4_field::code); }
    /// What no other error may be sent about. [rfc1122 3.2.2]
    [[nodiscard]] constexpr bool is_error() const noexcept {
        switch (type()) {
        case icmpv4_type::destination_unreachable:
        case icmpv4_type::source_quench:
        case icmpv4_type::redirect:
        case icmpv4_type::time_exceeded:
        case icmpv4_type::parameter_problem: return true;
        default: return false;
        }
    }
    [[nodiscard]] constexpr bool is_echo() const noexcept {
        return type() == icmpv4_type::echo_request || type() == icmpv4_type::echo_reply;
    }

    /// Pre: is_echo().
    [[nodiscard]] constexpr std::uint16_t identifier() const noexcept {
        Expects(is_echo());
        return load16(message_, icmpv4_field::identifier);
    }
    /// Pre: is_echo().
    [[nodiscard]] constexpr std::uint16_t sequence() const noexcept {
        Expects(is_echo());
        return load16(message_, icmpv4_field::sequence);
    }
    /// What a datagram may measure to pass; nothing from a router that does not say. [rfc1191 4]
    [[nodiscard]] constexpr std::optional<std::uint16_t> next_hop_mtu() const noexcept {
        const std::uint16_t mtu = load16(message_, icmpv4_field::mtu);
        if (type() != icmpv4_type::destination_unreachable ||
            code() != static_cast<std::uint8_t>(unreachable_code::fragmentation_needed) || mtu == 0)
            return std::nullopt;
        return mtu;
    }
    /// The place in the quoted datagram that is wrong. Pre: type() is parameter_problem.
    [[nodiscard]] constexpr std::uint8_t pointer() const noexcept {
        Expects(type() == icmpv4_type::parameter_problem);
        return load8(message_, icmpv4_field::pointer);
    }
    /// Pre: is_error().
    [[nodiscard]] constexpr icmpv4_quote quote() const noexcept {
        Expects(is_error());
        const const_bytes quoted = payload();
        const std::size_t total = load16(quoted, ipv4_field::total_length);
        return {quoted.first(std::min(total, quoted.size())), (load8(quoted, ipv4_field::version) & 0xfu) * 4};
    }
    /// Behind the first 8 bytes: the data of an echo, the quote of an error.
    [[nodiscard]] constexpr const_bytes payload() const noexcept { return message_.subspan(icmpv4_field::size); }

    [[nodiscard]] constexpr bool has_right_checksum() const noexcept { return checksum{message_}.is_right(); }

private:
    constexpr explicit icmpv4_view(const_bytes message) noexcept : message_{message} {}

    const_bytes message_;
};

/// An echo request or its reply.
struct icmpv4_echo {
    bool is_reply = false;
    std::uint16_t identifier = 0;
    std::uint16_t sequence = 0;

    static constexpr std::size_t size() noexcept { return icmpv4_field::size; }

    /// The header of the data that `payload` has summed up. Pre: `out` holds size() bytes.
    constexpr void write(bytes out, const checksum& payload) const noexcept {
        Expects(out.size() >= size());
        Expects(payload.size() <= ipv4_field::greatest_datagram - ipv4_field::size - size());
        out = out.first(size());
        const icmpv4_type type = is_reply ? icmpv4_type::echo_reply : icmpv4_type::echo_request;
        store8(out, icmpv4_field::type, static_cast<std::uint8_t>(type));
        store8(out, icmpv4_field::code, 0);
        store16(out, icmpv4_field::checksum, 0);
        store16(out, icmpv4_field::identifier, identifier);
        store16(out, icmpv4_field::sequence, sequence);
        checksum sum{out};
        sum.add(payload);
        store16(out, icmpv4_field::checksum, sum.value());
    }

    friend constexpr bool operator==(const icmpv4_echo&, const icmpv4_echo&) noexcept = default;
};

/// Pre: message.is_echo().
constexpr icmpv4_echo echo_of(const icmpv4_view& message) noexcept {
    return {message.type() == icmpv4_type::echo_reply, message.identifier(), message.sequence()};
}

/// An error about a datagram. Only the makers below can make one.
class icmpv4_error {
public:
    /// Not for fragmentation_needed, which must say how much passes.
    static constexpr icmpv4_error unreachable(unreachable_code code) noexcept {
        Expects(code != unreachable_code::fragmentation_needed);
        return {icmpv4_type::destination_unreachable, static_cast<std::uint8_t>(code), 0};
    }
    /// Pre: `next_hop_mtu` is at least ipv4_least_mtu. [rfc1191 4]
    static constexpr icmpv4_error too_big(std::uint16_t next_hop_mtu) noexcept {
        Expects(next_hop_mtu >= ipv4_least_mtu);
        return {icmpv4_type::destination_unreachable, static_cast<std::uint8_t>(unreachable_code::fragmentation_needed),
                next_hop_mtu};
    }
    static constexpr icmpv4_error exceeded(exceeded_code code) noexcept {
        return {icmpv4_type::time_exceeded, static_cast<std::uint8_t>(code), 0};
    }
    /// `pointer` is the place of the wrong byte in the datagram.
    static constexpr icmpv4_error parameter_problem(std::uint8_t pointer) noexcept {
        return {icmpv4_type::parameter_problem, 0, static_cast<std::uint32_t>(pointer) << 24};
    }

    /// Of an error about `original`, which is quoted as far as 576 bytes reach. [rfc1812 4.3.2.3]
    [[nodiscard]] static constexpr std::size_t size(const ipv4_view& original) noexcept {
        return icmpv4_field::size + std::min(original.datagram().size(), icmpv4_field::greatest_quote);
    }

    /// The whole message. Pre: `out` holds size(original) bytes.
    constexpr void write(bytes out, const ipv4_view& original) const noexcept {
        Expects(out.size() >= size(original));
        out = out.first(size(original));
        store8(out, icmpv4_field::type, static_cast<std::uint8_t>(type_));
        store8(out, icmpv4_field::code, code_);
        store16(out, icmpv4_field::checksum, 0);
        store32(out, icmpv4_field::pointer, rest_);
        store_bytes(out, icmpv4_field::size, original.datagram().first(out.size() - icmpv4_field::size));
        store16(out, icmpv4_field::checksum, checksum{out}.value());
    }

private:
    constexpr icmpv4_error(icmpv4_type type, std::uint8_t code, std::uint32_t rest) noexcept
        : type_{type}, code_{code}, rest_{rest} {}

    icmpv4_type type_;
    std::uint8_t code_;
    std::uint32_t rest_;
};

constexpr void describe(unreachable_code code, text_sink& out) noexcept {
    switch (code) {
    case unreachable_code::network: return out.text("network");
    case unreachable_code::host: return out.text("host");
    case unreachable_code::protocol: return out.text("protocol");
    case unreachable_code::port: return out.text("port");
    case unreachable_code::fragmentation_needed: return out.text("too big");
    case unreachable_code::source_route_failed: return out.text("source route");
    case unreachable_code::network_unknown: return out.text("network unknown");
    case unreachable_code::host_unknown: return out.text("host unknown");
    case unreachable_code::network_prohibited: return out.text("network prohibited");
    case unreachable_code::host_prohibited: return out.text("host prohibited");
    case unreachable_code::communication_prohibited: return out.text("prohibited");
    }
    out.text("code ");
    out.decimal(static_cast<std::uint8_t>(code));
}

/// "192.0.2.100 > 192.0.2.1, UDP 47292 > 9"
constexpr void describe(const icmpv4_quote& quote, text_sink& out) noexcept {
    describe(quote.source(), out);
    out.text(" > ");
    describe(quote.destination(), out);
    out.text(", ");
    describe(quote.protocol(), out);
    if (const auto ports = quote.transport_ports()) {
        out.character(' ');
        out.decimal(ports->source);
        out.text(" > ");
        out.decimal(ports->destination);
    }
}

/// "ICMP echo request, id 20786, seq 0, length 64", "ICMP unreachable: port, about ..."
constexpr void describe(const icmpv4_view& message, text_sink& out) noexcept {
    switch (message.type()) {
    case icmpv4_type::echo_request:
    case icmpv4_type::echo_reply:
        out.text(message.type() == icmpv4_type::echo_reply ? "ICMP echo reply, id " : "ICMP echo request, id ");
        out.decimal(message.identifier());
        out.text(", seq ");
        out.decimal(message.sequence());
        break;
    case icmpv4_type::destination_unreachable:
        out.text("ICMP unreachable: ");
        describe(unreachable_code{message.code()}, out);
        if (const auto mtu = message.next_hop_mtu()) {
            out.text(", mtu ");
            out.decimal(*mtu);
        }
        break;
    case icmpv4_type::time_exceeded:
        out.text(message.code() == 0 ? "ICMP time exceeded in transit" : "ICMP time exceeded in reassembly");
        break;
    case icmpv4_type::parameter_problem:
        out.text("ICMP parameter problem at ");
        out.decimal(message.pointer());
        break;
    case icmpv4_type::source_quench: out.text("ICMP source quench"); break;
    case icmpv4_type::redirect: out.text("ICMP redirect"); break;
    default:
        out.text("ICMP type ");
        out.decimal(static_cast<std::uint8_t>(message.type()));
        out.text(", code ");
        out.decimal(message.code());
    }
    if (message.is_error()) {
        out.text(", about ");
        describe(message.quote(), out);
    }
    out.text(", length ");
    out.decimal(message.payload().size() + icmpv4_field::size);
}

}  // namespace halvm::net::wire
