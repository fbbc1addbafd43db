// SPDX-License-Identifier: BSD-3-Clause
#include "net/packets.hpp"

#include <halvm/net/wire/icmpv4.hpp>
#include <halvm/net/wire/udp.hpp>

namespace {

using namespace halvm;
using namespace halvm::net;
using namespace halvm::net::literals;
using namespace halvm::net::wire;
using namespace halvm::test;

packet datagram(const ipv4_header& header, const packet& payload) {
    packet made(header.size());
    header.write(made, payload.size());
    return joined(made, payload);
}

TEST_CASE("ipv4: RFC 791 3.1: a captured datagram's fields, and the same bytes from its value") {
    const packet data = behind(14, captured::echo_request);
    const auto view = ipv4_view::parse(data).value();
    CHECK(view.source() == "192.0.2.100"_ipv4);
    CHECK(view.destination() == "192.0.2.1"_ipv4);
    CHECK(view.protocol() == ip_protocol::icmp);
    CHECK(view.ttl() == 64);
    CHECK(view.identification() == 0x9a82);
    CHECK(view.may_not_be_fragmented());
    CHECK_FALSE(view.is_fragment());
    CHECK(view.payload().size() == 64);
    CHECK(view.has_right_checksum());
    CHECK(text_of(view) == "192.0.2.100 > 192.0.2.1, ICMP, ttl 64, length 84");
    CHECK(datagram(header_of(view), packet{view.payload().begin(), view.payload().end()}) == data);
}

TEST_CASE("ipv4: RFC 791 3.1: lengths and versions that cannot be are refused") {
    const packet data = behind(14, captured::echo_request);
    for (std::size_t size = 0; size < data.size(); ++size)
        CHECK(refusal<ipv4_view>(first(data, size)) == wire_errc::truncated);
    CHECK(refusal<ipv4_view>(with(data, 0, {0x65})) == wire_errc::bad_version);
    CHECK(refusal<ipv4_view>(with(data, 0, {0x44})) == wire_errc::bad_length);
    CHECK(refusal<ipv4_view>(with(data, 2, {0, 19})) == wire_errc::bad_length);
    CHECK(refusal<ipv4_view>(with(data, 2, {0, 85})) == wire_errc::truncated);
    CHECK(refusal<ipv4_view>(with(with(data, 0, {0x4f}), 2, {0, 59})) == wire_errc::bad_length);
}

TEST_CASE("ipv4: RFC 1122 2.3.3: padding behind the datagram is none of it") {
    const packet data = behind(14, captured::tcp_rst);
    const packet padded = joined(data, packet(6, std::byte{0xaa}));
    CHECK(ipv4_view::parse(padded).value().payload().size() == 20);
    CHECK(ipv4_view::parse(padded).value().datagram().size() == data.size());
}

TEST_CASE("ipv4: RFC 1122 3.2.1.2: a wrong checksum is told from a right one, and only where it is asked for") {
    const packet data = behind(14, captured::echo_request);
    for (std::size_t at = 0; at < 20; ++at) {
        const packet changed = with(data, at, {std::to_integer<unsigned>(data[at]) ^ 0x10});
        const auto view = ipv4_view::parse(changed);
        if (view)
            CHECK_FALSE(view->has_right_checksum());
    }
}

TEST_CASE("ipv4: RFC 791 3.1: captured options: router alert and record route") {
    const packet alert = behind(14, captured::udp_with_router_alert);
    const auto view = ipv4_view::parse(alert).value();
    CHECK(view.header().size() == 24);
    CHECK(view.has_right_checksum());
    const option one = *view.options().begin();
    CHECK(one.kind == 148);
    CHECK(one.data.size() == 2);
    CHECK(++view.options().begin() == view.options().end());
    CHECK(header_of(view).options == ipv4_options::router_alert());
    CHECK(datagram(header_of(view), packet{view.payload().begin(), view.payload().end()}) == alert);

    const packet route = behind(14, captured::udp_with_record_route);
    const auto second = ipv4_view::parse(route).value();
    CHECK((*second.options().begin()).kind == 7);
    CHECK((*second.options().begin()).data.size() == 13);
    CHECK(text_of(udp_view::parse(second.payload()).value()).ends_with(", length 12"));
}

TEST_CASE("ipv4: RFC 791 3.1: options that do not end where they may are refused") {
    const packet data = behind(14, captured::udp_with_router_alert);
    CHECK(refusal<ipv4_view>(with(data, 20, {148, 5})) == wire_errc::bad_option);
    CHECK(refusal<ipv4_view>(with(data, 20, {148, 1})) == wire_errc::bad_option);
    CHECK(refusal<ipv4_view>(with(data, 20, {148, 0})) == wire_errc::bad_option);
    CHECK(refusal<ipv4_view>(with(data, 20, {1, 1, 1, 148})) == wire_errc::bad_option);
    CHECK(ipv4_view::parse(with(data, 20, {1, 1, 1, 0})).value().options().begin() == option_list::iterator{});
    CHECK(ipv4_view::parse(with(data, 20, {0, 148, 0, 0})).value().options().begin() == option_list::iterator{});
}

TEST_CASE("ipv4_options: RFC 791 3.1: what is not to be copied stays in the first fragment") {
    const auto options = ipv4_options::parse(from_hex("07 07 04 00000000 01 94 04 0000")).value();
    CHECK(options.area().size() == 12);
    CHECK(options.copied() == ipv4_options::router_alert());
    CHECK(ipv4_options{}.copied() == ipv4_options{});
    CHECK(ipv4_options::parse(packet(41, std::byte{1})).error().code() == wire_errc::bad_length);
    CHECK(ipv4_options::parse(from_hex("0703")).error().code() == wire_errc::bad_option);
}

TEST_CASE("ipv4: RFC 791 3.2: a captured last fragment") {
    const packet data = behind(14, captured::fragment_last);
    const auto view = ipv4_view::parse(data).value();
    CHECK(view.is_fragment());
    CHECK_FALSE(view.has_more_fragments());
    CHECK(view.fragment_offset() == 1480);
    CHECK(view.payload().size() == 528);
    CHECK(text_of(view).find(", offset 1480, length 548") != std::string::npos);
}

TEST_CASE("ipv4: RFC 791 3.2: fragments that no datagram can have are refused") {
    const packet data = datagram({"192.0.2.1"_ipv4, "192.0.2.2"_ipv4}, packet(16));
    CHECK(ipv4_view::parse(with(data, 6, {0x20, 0})).value().has_more_fragments());
    // It would end behind byte 65535.
    CHECK(refusal<ipv4_view>(with(data, 6, {0x1f, 0xff})) == wire_errc::bad_length);
    CHECK(refusal<ipv4_view>(with(data, 6, {0x1f, 0xfc})) == wire_errc::bad_length);
    CHECK(ipv4_view::parse(with(data, 6, {0x1f, 0xfb})).value().fragment_offset() == 65496);
    // Not the last, and not of a multiple of 8 bytes.
    CHECK(refusal<ipv4_view>(with(with(data, 6, {0x20, 0}), 2, {0, 35})) == wire_errc::bad_length);
    // Without a payload, first or last.
    CHECK(refusal<ipv4_view>(with(with(data, 6, {0x20, 0}), 2, {0, 20})) == wire_errc::bad_length);
    CHECK(refusal<ipv4_view>(with(with(data, 6, {0x00, 1}), 2, {0, 20})) == wire_errc::bad_length);
}

TEST_CASE("ipv4: the largest datagram can be written") {
    const packet payload(65515);
    const packet data = datagram({"192.0.2.1"_ipv4, "192.0.2.2"_ipv4}, payload);
    CHECK(ipv4_view::parse(data).value().payload().size() == 65515);
}

TEST_CASE("icmpv4: RFC 792: captured echo and its reply, and the same bytes from their values") {
    for (const auto* frame : {&captured::echo_request, &captured::echo_reply}) {
        const packet data = behind(34, *frame);
        const auto view = icmpv4_view::parse(data).value();
        CHECK(view.has_right_checksum());
        CHECK(view.is_echo());
        CHECK_FALSE(view.is_error());
        CHECK(view.identifier() == 0x5132);
        CHECK(view.sequence() == 0);
        CHECK(view.payload().size() == 56);
        packet ours(icmpv4_echo::size());
        echo_of(view).write(ours, checksum{view.payload()});
        CHECK(joined(ours, view.payload()) == data);
    }
    CHECK(text_of(icmpv4_view::parse(behind(34, captured::echo_request)).value()) ==
          "ICMP echo request, id 20786, seq 0, length 64");
}

TEST_CASE("icmpv4: RFC 792: a captured port unreachable quotes the datagram") {
    const packet data = behind(34, captured::port_unreachable);
    const auto view = icmpv4_view::parse(data).value();
    CHECK(view.has_right_checksum());
    CHECK(view.is_error());
    CHECK(view.type() == icmpv4_type::destination_unreachable);
    CHECK(view.code() == static_cast<unsigned>(unreachable_code::port));
    CHECK(view.next_hop_mtu() == std::nullopt);
    const auto quote = view.quote();
    CHECK(quote.source() == "192.0.2.100"_ipv4);
    CHECK(quote.destination() == "192.0.2.1"_ipv4);
    CHECK(quote.protocol() == ip_protocol::udp);
    CHECK(quote.transport_ports().value().destination == 9);
    CHECK(quote.tcp_sequence() == std::nullopt);
    CHECK(text_of(view).starts_with("ICMP unreachable: port, about 192.0.2.100 > 192.0.2.1, UDP "));
}

TEST_CASE("icmpv4: RFC 1191 4: a captured datagram-too-big says the next hop's MTU, 0 says nothing") {
    const packet data = behind(34, captured::fragmentation_needed);
    const auto view = icmpv4_view::parse(data).value();
    CHECK(view.has_right_checksum());
    CHECK(view.next_hop_mtu() == 1000);
    CHECK(view.quote().total_length() == 1228);
    CHECK(view.quote().payload().size() == 528);
    CHECK(text_of(view).find("too big, mtu 1000, about") != std::string::npos);
    CHECK(icmpv4_view::parse(with(data, 6, {0, 0})).value().next_hop_mtu() == std::nullopt);
}

TEST_CASE("icmpv4: RFC 792: a captured time exceeded, and a parameter problem") {
    const packet data = behind(34, captured::time_exceeded);
    const auto view = icmpv4_view::parse(data).value();
    CHECK(view.type() == icmpv4_type::time_exceeded);
    CHECK(text_of(view).starts_with("ICMP time exceeded in transit, about 192.0.2.100 > 198.51.100.2, UDP "));
    const packet wrong = with(data, 0, {12, 0, 0, 0, 20});
    const auto problem = icmpv4_view::parse(wrong).value();
    CHECK(problem.pointer() == 20);
    CHECK(text_of(problem).starts_with("ICMP parameter problem at 20, about"));
}

TEST_CASE("icmpv4: RFC 792: errors whose quote cannot be are refused, unknown types are not") {
    const packet data = behind(34, captured::port_unreachable);
    for (std::size_t size = 0; size < 8 + 28; ++size)
        CHECK(refusal<icmpv4_view>(first(data, size)) == wire_errc::truncated);
    CHECK(icmpv4_view::parse(first(data, 8 + 28)).has_value());
    CHECK(refusal<icmpv4_view>(with(data, 8, {0x65})) == wire_errc::bad_version);
    CHECK(refusal<icmpv4_view>(with(data, 8, {0x44})) == wire_errc::bad_length);
    CHECK(refusal<icmpv4_view>(with(data, 10, {0, 19})) == wire_errc::bad_length);
    CHECK(refusal<icmpv4_view>(with(data, 8, {0x4f})) == wire_errc::bad_length);
    CHECK(icmpv4_view::parse(with(data, 0, {13})).has_value());
    CHECK(text_of(icmpv4_view::parse(with(data, 0, {13, 0})).value()) == "ICMP type 13, code 0, length 56");
}

TEST_CASE("icmpv4: a quoted datagram of fewer than 8 bytes is whole, but has no ports") {
    const packet original = datagram({"192.0.2.1"_ipv4, "192.0.2.2"_ipv4}, packet(4));
    const auto view = ipv4_view::parse(original).value();
    packet message(icmpv4_error::size(view));
    icmpv4_error::unreachable(unreachable_code::host).write(message, view);
    const auto error = icmpv4_view::parse(message).value();
    CHECK(error.has_right_checksum());
    CHECK(error.quote().payload().size() == 4);
    CHECK(error.quote().transport_ports() == std::nullopt);
}

TEST_CASE("icmpv4: RFC 1812 4.3.2.3: errors quote as much as fits into 576 bytes, as Linux does") {
    const packet original = datagram({"192.0.2.1"_ipv4, "192.0.2.2"_ipv4}, packet(2000));
    const auto view = ipv4_view::parse(original).value();
    packet message(icmpv4_error::size(view));
    CHECK(message.size() == 556);
    icmpv4_error::too_big(1400).write(message, view);
    CHECK(icmpv4_view::parse(message).value().next_hop_mtu() == 1400);
    CHECK(icmpv4_view::parse(message).value().has_right_checksum());
    icmpv4_error::exceeded(exceeded_code::reassembly).write(message, view);
    CHECK(text_of(icmpv4_view::parse(message).value()).starts_with("ICMP time exceeded in reassembly, about"));
    icmpv4_error::parameter_problem(9).write(message, view);
    CHECK(icmpv4_view::parse(message).value().pointer() == 9);
    CHECK(icmpv4_view::parse(message).value().has_right_checksum());
}

TEST_CASE("icmpv4: RFC 5927 4.1: an error about TCP shows the sequence number") {
    const packet original = behind(14, captured::tcp_syn);
    const auto view = ipv4_view::parse(original).value();
    packet message(icmpv4_error::size(view));
    icmpv4_error::unreachable(unreachable_code::host).write(message, view);
    const auto quote = icmpv4_view::parse(message).value().quote();
    CHECK(quote.tcp_sequence() == load32(original, 24));
    CHECK(quote.transport_ports().value().destination == 80);
}

}  // namespace
