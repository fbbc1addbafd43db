// SPDX-License-Identifier: BSD-3-Clause
// A whole frame as one line, as a tracer shows it: each protocol's own text, from the outside in. What cannot be
// parsed is said with the reason.
#pragma once

#include <halvm/net/wire/arp.hpp>
#include <halvm/net/wire/dhcpv4.hpp>
#include <halvm/net/wire/dns.hpp>
#include <halvm/net/wire/icmpv4.hpp>
#include <halvm/net/wire/tcp.hpp>
#include <halvm/net/wire/udp.hpp>

namespace halvm::net::wire {

/// "[UDP: it ends too early]" in few words: the name of the code.
inline void describe_error(std::string_view protocol, const error& why, text_sink& out) noexcept {
    out.text("; bad ");
    out.text(protocol);
    switch (static_cast<wire_errc>(why.code().value())) {
    case wire_errc::truncated: return out.text(" (truncated)");
    case wire_errc::bad_length: return out.text(" (length)");
    case wire_errc::bad_version: return out.text(" (version)");
    case wire_errc::bad_type: return out.text(" (type)");
    case wire_errc::bad_option: return out.text(" (option)");
    case wire_errc::bad_name: return out.text(" (name)");
    case wire_errc::bad_value: return out.text(" (value)");
    }
}

/// What `View` makes of the bytes; nothing if it cannot, which is then said.
template <class View>
std::optional<View> describe_as(const_bytes data, std::string_view protocol, text_sink& out) noexcept {
    const auto view = View::parse(data);
    if (!view) {
        describe_error(protocol, view.error(), out);
        return std::nullopt;
    }
    out.text("; ");
    describe(*view, out);
    return *view;
}

inline void describe_udp(const_bytes segment, text_sink& out) noexcept {
    const auto datagram = describe_as<udp_view>(segment, "UDP", out);
    if (!datagram)
        return;
    const auto has_port = [&](std::uint16_t port) {
        return datagram->source_port() == port || datagram->destination_port() == port;
    };
    if (has_port(dns_port))
        (void)describe_as<dns_view>(datagram->payload(), "DNS", out);
    else if (has_port(dhcpv4_server_port))
        (void)describe_as<dhcpv4_view>(datagram->payload(), "DHCP", out);
}

inline void describe_ipv4(const_bytes packet, text_sink& out) noexcept {
    const auto datagram = describe_as<ipv4_view>(packet, "IPv4", out);
    if (!datagram || datagram->is_fragment())
        return;
    switch (datagram->protocol()) {
    case ip_protocol::udp: return describe_udp(datagram->payload(), out);
    case ip_protocol::tcp: return (void)describe_as<tcp_view>(datagram->payload(), "TCP", out);
    case ip_protocol::icmp: return (void)describe_as<icmpv4_view>(datagram->payload(), "ICMP", out);
    default: return;
    }
}

/// "02:00:00:00:00:0a > 02:00:00:00:00:0b, IPv4, length 75; 192.0.2.100 > 192.0.2.1, UDP, ...; UDP ...; DNS ..."
inline void describe_frame(const_bytes frame, text_sink& out) noexcept {
    const auto outside = ethernet_view::parse(frame);
    if (!outside)
        return describe_error("Ethernet", outside.error(), out);
    describe(*outside, out);
    ethertype type = outside->type();
    const_bytes payload = outside->payload();
    if (type == ethertype::vlan) {
        const auto tag = describe_as<vlan_view>(payload, "VLAN", out);
        if (!tag)
            return;
        type = tag->type();
        payload = tag->payload();
    }
    if (type == ethertype::arp)
        (void)describe_as<arp_view>(payload, "ARP", out);
    else if (type == ethertype::ipv4)
        describe_ipv4(payload, out);
}

}  // namespace halvm::net::wire
