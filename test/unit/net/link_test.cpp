// SPDX-License-Identifier: BSD-3-Clause
#include "net/packets.hpp"

#include <halvm/net/wire/arp.hpp>

namespace {

using namespace halvm;
using namespace halvm::net;
using namespace halvm::net::literals;
using namespace halvm::net::wire;
using namespace halvm::test;

TEST_CASE("ethernet: RFC 894: a captured frame's fields") {
    const packet data = from_hex(captured::arp_reply.hex);
    const auto frame = ethernet_view::parse(data).value();
    CHECK(frame.destination() == "02:00:00:00:00:0a"_mac);
    CHECK(frame.source() == "02:00:00:00:00:0b"_mac);
    CHECK(frame.type() == ethertype::arp);
    CHECK(frame.payload().size() == data.size() - 14);
    CHECK(text_of(frame) == "02:00:00:00:00:0b > 02:00:00:00:00:0a, ARP, length 42");
}

TEST_CASE("ethernet: frames that end in the header are refused") {
    const packet data = from_hex(captured::arp_reply.hex);
    for (std::size_t size = 0; size < 14; ++size)
        CHECK(refusal<ethernet_view>(first(data, size)) == wire_errc::truncated);
    CHECK(ethernet_view::parse(first(data, 14)).value().payload().empty());
}

TEST_CASE("ethernet: RFC 894 and RFC 1042: an IEEE 802.3 length is no type") {
    const packet data = from_hex(captured::arp_reply.hex);
    CHECK(refusal<ethernet_view>(with(data, 12, {0x00, 0x2e})) == wire_errc::bad_type);
    CHECK(refusal<ethernet_view>(with(data, 12, {0x05, 0xff})) == wire_errc::bad_type);
    CHECK(text_of(ethernet_view::parse(with(data, 12, {0x06, 0x00})).value()) ==
          "02:00:00:00:00:0b > 02:00:00:00:00:0a, ethertype 0x0600, length 42");
}

TEST_CASE("ethernet: IEEE 802.1Q 9.6: a tag is seen and is a view of its own") {
    packet data = from_hex("02000000000a 02000000000b 8100 a007 0806");
    const auto frame = ethernet_view::parse(data).value();
    CHECK(frame.type() == ethertype::vlan);
    const auto tag = vlan_view::parse(frame.payload()).value();
    CHECK(tag.id() == 7);
    CHECK(tag.priority() == 5);
    CHECK(tag.type() == ethertype::arp);
    CHECK(tag.payload().empty());
    CHECK(text_of(tag) == "vlan 7, p 5, ARP");
    CHECK(refusal<vlan_view>(from_hex("a00708")) == wire_errc::truncated);
    CHECK(refusal<vlan_view>(from_hex("a0070020")) == wire_errc::bad_type);
}

TEST_CASE("arp: RFC 826: captured request, reply and announcement") {
    const packet asked = behind(14, captured::arp_request), answered = behind(14, captured::arp_reply);
    const auto request = arp_view::parse(asked).value();
    CHECK(request.operation() == arp_operation::request);
    CHECK(request.sender_mac() == "02:00:00:00:00:0a"_mac);
    CHECK(request.sender() == "192.0.2.100"_ipv4);
    CHECK(request.target_mac().is_unspecified());
    CHECK(request.target() == "192.0.2.1"_ipv4);
    CHECK(text_of(request) == "ARP, who-has 192.0.2.1 tell 192.0.2.100");

    packet ours(arp_packet::size());
    arp_packet::request("02:00:00:00:00:0a"_mac, "192.0.2.100"_ipv4, "192.0.2.1"_ipv4).write(ours);
    CHECK(ours == asked);
    arp_packet::reply_to(request, "02:00:00:00:00:0b"_mac, "192.0.2.1"_ipv4).write(ours);
    CHECK(ours == answered);
    CHECK(text_of(arp_view::parse(ours).value()) == "ARP, 192.0.2.1 is-at 02:00:00:00:00:0b");

    const packet said = behind(14, captured::arp_announcement);
    const auto announcement = arp_view::parse(said).value();
    CHECK(announcement.sender() == announcement.target());
}

TEST_CASE("arp: RFC 5227 2.1.1, 2.3: a probe hides the sender's address, an announcement says it twice") {
    packet ours(arp_packet::size());
    arp_packet::probe("02:00:00:00:00:0a"_mac, "192.0.2.7"_ipv4).write(ours);
    const auto probe = arp_view::parse(ours).value();
    CHECK(probe.operation() == arp_operation::request);
    CHECK(probe.sender().is_unspecified());
    CHECK(probe.target_mac().is_unspecified());
    CHECK(probe.target() == "192.0.2.7"_ipv4);
    CHECK(arp_packet::announcement("02:00:00:00:00:0a"_mac, "192.0.2.7"_ipv4).sender == "192.0.2.7"_ipv4);
    CHECK(arp_packet::announcement("02:00:00:00:00:0a"_mac, "192.0.2.7"_ipv4).target == "192.0.2.7"_ipv4);
}

TEST_CASE("arp: padding behind the packet is none of it, a shorter one is refused") {
    const packet data = behind(14, captured::arp_reply);
    CHECK(packet_of(arp_view::parse(joined(data, packet(18))).value()) == packet_of(arp_view::parse(data).value()));
    for (std::size_t size = 0; size < data.size(); ++size)
        CHECK(refusal<arp_view>(first(data, size)) == wire_errc::truncated);
}

TEST_CASE("arp: RFC 826: other hardware, protocols, lengths and operations are refused") {
    const packet data = behind(14, captured::arp_reply);
    CHECK(refusal<arp_view>(with(data, 0, {0, 6})) == wire_errc::bad_type);
    CHECK(refusal<arp_view>(with(data, 2, {0x86, 0xdd})) == wire_errc::bad_type);
    CHECK(refusal<arp_view>(with(data, 4, {8})) == wire_errc::bad_length);
    CHECK(refusal<arp_view>(with(data, 5, {16})) == wire_errc::bad_length);
    CHECK(refusal<arp_view>(with(data, 6, {0, 0})) == wire_errc::bad_type);
    CHECK(refusal<arp_view>(with(data, 6, {0, 3})) == wire_errc::bad_type);
}

TEST_CASE("arp: RFC 1812 3.3.2: a sender on a group's hardware address is not believed") {
    const packet data = behind(14, captured::arp_reply);
    CHECK(refusal<arp_view>(with(data, 8, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff})) == wire_errc::bad_value);
    CHECK(refusal<arp_view>(with(data, 8, {0x01})) == wire_errc::bad_value);
    CHECK(refusal<arp_view>(with(data, 8, {0, 0, 0, 0, 0, 0})) == wire_errc::bad_value);
}

}  // namespace
