// SPDX-License-Identifier: BSD-3-Clause
#include "net/packets.hpp"

#include <halvm/net/wire/tcp.hpp>
#include <halvm/net/wire/udp.hpp>

namespace {

using namespace halvm;
using namespace halvm::net;
using namespace halvm::net::literals;
using namespace halvm::net::wire;
using namespace halvm::test;

constexpr ip_address a = "192.0.2.100"_ip, b = "192.0.2.1"_ip;

TEST_CASE("udp: RFC 768: a captured datagram, and the same bytes from its value") {
    const packet data = behind(34, captured::dns_a_query);
    const auto view = udp_view::parse(data).value();
    CHECK(view.source_port() == 47292);
    CHECK(view.destination_port() == 53);
    CHECK(view.payload().size() == 33);
    CHECK(view.has_checksum());
    CHECK(view.has_right_checksum(a, b));
    CHECK(text_of(view) == "UDP 47292 > 53, length 33");
    packet ours(udp_header::size());
    header_of(view).write(ours, a, b, checksum{view.payload()});
    CHECK(joined(ours, view.payload()) == data);
}

TEST_CASE("udp: RFC 8200 8.1: a captured datagram over IPv6") {
    const packet data = behind(54, captured::udp_over_ipv6);
    const auto view = udp_view::parse(data).value();
    CHECK(view.payload().size() == 3);
    CHECK(view.has_right_checksum("2001:db8::2"_ip, "2001:db8::1"_ip));
    CHECK_FALSE(view.has_right_checksum("2001:db8::3"_ip, "2001:db8::1"_ip));
    packet ours(udp_header::size());
    header_of(view).write(ours, "2001:db8::2"_ip, "2001:db8::1"_ip, checksum{view.payload()});
    CHECK(joined(ours, view.payload()) == data);
}

TEST_CASE("udp: RFC 768: a zero checksum means that there is none") {
    const packet data = behind(34, captured::udp_without_checksum);
    const auto view = udp_view::parse(data).value();
    CHECK_FALSE(view.has_checksum());
    CHECK(view.has_right_checksum(a, b));
    CHECK(view.payload().size() == 10);
}

TEST_CASE("udp: RFC 768: a computed zero is sent as all ones, and is right") {
    // Of all payloads of two bytes just one makes the sum all ones.
    int zeros = 0;
    for (unsigned value = 0; value <= 0xffff; ++value) {
        packet payload(2);
        store16(payload, 0, static_cast<std::uint16_t>(value));
        packet ours(udp_header::size());
        udp_header{1000, 2000}.write(ours, a, b, checksum{payload});
        REQUIRE(load16(ours, 6) != 0);
        zeros += load16(ours, 6) == 0xffff ? 1 : 0;
        const packet whole = joined(ours, payload);
        REQUIRE(udp_view::parse(whole).value().has_right_checksum(a, b));
    }
    CHECK(zeros == 1);
}

TEST_CASE("udp: RFC 1122 4.1.3.4: a wrong checksum is told, whichever bit is wrong") {
    const packet data = behind(34, captured::dns_a_query);
    for (std::size_t bit = 0; bit < data.size() * 8; ++bit) {
        const packet changed = with(data, bit / 8, {std::to_integer<unsigned>(data[bit / 8]) ^ 1u << bit % 8});
        const auto view = udp_view::parse(changed);
        if (view)
            CHECK_FALSE(view->has_right_checksum(a, b));
    }
    CHECK_FALSE(udp_view::parse(data).value().has_right_checksum(a, "192.0.2.2"_ip));
}

TEST_CASE("udp: RFC 768: lengths that cannot be are refused, what follows the datagram is none of it") {
    const packet data = behind(34, captured::dns_a_query);
    for (std::size_t size = 0; size < data.size(); ++size)
        CHECK(refusal<udp_view>(first(data, size)) == wire_errc::truncated);
    CHECK(refusal<udp_view>(with(data, 4, {0, 7})) == wire_errc::bad_length);
    CHECK(refusal<udp_view>(with(data, 4, {0, 0})) == wire_errc::bad_length);
    CHECK(refusal<udp_view>(with(data, 4, {0xff, 0xff})) == wire_errc::truncated);
    CHECK(udp_view::parse(with(data, 4, {0, 8})).value().payload().empty());
    CHECK(udp_view::parse(joined(data, packet(9))).value().has_right_checksum(a, b));
}

TEST_CASE("udp: for a device that completes checksums, the field holds the pseudo-header's sum") {
    const packet payload = from_hex("010203");
    packet ours(udp_header::size());
    udp_header{1000, 2000}.write_for_device(ours, a, b, payload.size());
    CHECK(load16(ours, 6) == checksum::pseudo_header(a, b, ip_protocol::udp, 11).sum());
    // What the device then does.
    const packet whole = joined(ours, payload);
    store16(ours, 6, checksum{whole}.value());
    CHECK(udp_view::parse(joined(ours, payload)).value().has_right_checksum(a, b));
}

TEST_CASE("tcp: RFC 9293 3.1: a captured SYN of Linux, and the same bytes from its value") {
    const packet data = behind(34, captured::tcp_syn);
    const auto view = tcp_view::parse(data).value();
    CHECK(view.destination_port() == 80);
    CHECK(view.sequence() == tcp_sequence{2321102246});
    CHECK(view.acknowledgment() == std::nullopt);
    CHECK(view.is_syn());
    CHECK_FALSE(view.is_fin());
    CHECK(view.window() == 64240);
    CHECK(view.urgent() == std::nullopt);
    CHECK(view.sequence_length() == 1);
    CHECK(view.has_right_checksum(a, b));
    const tcp_options options = view.options();
    CHECK(options.mss == 1460);
    CHECK(options.sack_permitted);
    CHECK(options.timestamps == tcp_timestamps{3594145067, 0});
    CHECK(options.window_scale == 10);
    CHECK(options.size() == 20);
    CHECK(text_of(view) ==
          "TCP 33224 > 80, [S], seq 2321102246, win 64240, options [mss 1460, sackOK, TS val "
          "3594145067 ecr 0, wscale 10], length 0");
    packet ours(header_of(view).size());
    header_of(view).write(ours, a, b, checksum{});
    CHECK(ours == data);
}

TEST_CASE("tcp: RFC 9293 3.1: captured segments of a whole connection are written as they were") {
    for (const auto* frame :
         {&captured::tcp_syn_ack, &captured::tcp_ack, &captured::tcp_push, &captured::tcp_fin, &captured::tcp_rst}) {
        const packet whole = behind(14, *frame), data = behind(34, *frame);
        const ip_address from = load_ipv4(whole, 12), to = load_ipv4(whole, 16);
        const auto view = tcp_view::parse(data).value();
        CHECK(view.has_right_checksum(from, to));
        CHECK(view.acknowledgment().has_value());
        packet ours(header_of(view).size());
        header_of(view).write(ours, from, to, checksum{view.payload()});
        CHECK(joined(ours, view.payload()) == data);
    }
    CHECK(text_of(tcp_view::parse(behind(34, captured::tcp_rst)).value()).find("[R.]") != std::string::npos);
    CHECK(text_of(tcp_view::parse(behind(34, captured::tcp_push)).value()).find("[P.]") != std::string::npos);
    CHECK(tcp_view::parse(behind(34, captured::tcp_push)).value().sequence_length() == 73);
}

TEST_CASE("tcp: RFC 9293 3.1: data offsets that cannot be are refused") {
    const packet data = behind(34, captured::tcp_syn);
    for (std::size_t size = 0; size < data.size(); ++size)
        CHECK(refusal<tcp_view>(first(data, size)) == wire_errc::truncated);
    for (unsigned offset = 0; offset < 5; ++offset)
        CHECK(refusal<tcp_view>(with(data, 12, {offset << 4})) == wire_errc::bad_length);
    CHECK(refusal<tcp_view>(with(data, 12, {11 << 4})) == wire_errc::truncated);
}

packet segment_with_options(std::string_view hex) {
    packet options = from_hex(hex);
    options.resize((options.size() + 3) / 4 * 4);
    packet header = first(behind(34, captured::tcp_syn), 20);
    header[12] = std::byte{static_cast<std::uint8_t>((20 + options.size()) / 4 << 4)};
    return joined(header, options);
}

TEST_CASE("tcp: RFC 9293 3.1, MUST-4, MUST-6: unknown options are passed over, end and nothing are known") {
    const auto options = [](std::string_view hex) {
        const packet data = segment_with_options(hex);
        return tcp_view::parse(data).value().options();
    };
    CHECK(options("") == tcp_options{});
    CHECK(options("01010101") == tcp_options{});
    CHECK(options("fe 06 00000000 02 04 05b4").mss == 1460);
    CHECK(options("22 02 03 03 07").window_scale == 7);
    CHECK(options("00 02 04 05b4") == tcp_options{});
    CHECK(options("01 02 04 05b4 01 03 03 07").window_scale == 7);
    CHECK(options("02 04 05b4 02 04 0200").mss == 512);
}

TEST_CASE("tcp: RFC 9293 3.2, MUST-7: an option of an impossible length is survived, and the segment refused") {
    CHECK(refusal<tcp_view>(segment_with_options("02 00 05b4")) == wire_errc::bad_option);
    CHECK(refusal<tcp_view>(segment_with_options("02 01 05b4")) == wire_errc::bad_option);
    CHECK(refusal<tcp_view>(segment_with_options("02 05 05b4")) == wire_errc::bad_option);
    CHECK(refusal<tcp_view>(segment_with_options("01 01 01 02")) == wire_errc::bad_option);
    CHECK(refusal<tcp_view>(segment_with_options("fe ff 0000")) == wire_errc::bad_option);
}

TEST_CASE("tcp: a known option of another length counts as unknown") {
    const packet data =
        segment_with_options("02 03 05 03 04 0700 04 03 00 08 04 0000 05 04 0000 05 0a 00000001 00000002");
    tcp_options expected;
    expected.sack.push_back({tcp_sequence{1}, tcp_sequence{2}});
    CHECK(tcp_view::parse(data).value().options() == expected);
}

TEST_CASE("tcp: RFC 7323 2.3: a window scale above 14 is 14") {
    CHECK(tcp_view::parse(segment_with_options("03 03 0f")).value().options().window_scale == 14);
    CHECK(tcp_view::parse(segment_with_options("03 03 ff")).value().options().window_scale == 14);
    CHECK(tcp_view::parse(segment_with_options("03 03 0e")).value().options().window_scale == 14);
}

TEST_CASE("tcp: RFC 2018 3: up to four SACK blocks, or three beside timestamps") {
    tcp_header header{.source_port = 1, .destination_port = 2};
    for (std::uint32_t block = 0; block < 4; ++block)
        CHECK(header.options.sack.push_back({tcp_sequence{block * 10}, tcp_sequence{block * 10 + 5}}));
    CHECK_FALSE(header.options.sack.push_back({tcp_sequence{}, tcp_sequence{}}));
    CHECK(header.options.size() == 36);
    packet ours(header.size());
    header.write(ours, a, b, checksum{});
    CHECK(tcp_view::parse(ours).value().options() == header.options);
    CHECK(text_of(header.options) == "sack {0:5} {10:15} {20:25} {30:35}");

    tcp_header shorter{.source_port = 1, .destination_port = 2};
    shorter.options.timestamps = tcp_timestamps{7, 9};
    for (std::uint32_t block = 0; block < 3; ++block)
        shorter.options.sack.push_back({tcp_sequence{block * 10}, tcp_sequence{block * 10 + 5}});
    CHECK(shorter.options.size() == 40);
    packet second(shorter.size());
    shorter.write(second, a, b, checksum{});
    CHECK(tcp_view::parse(second).value().options() == shorter.options);
}

TEST_CASE("tcp: every set of options is written so that it is read again, and in whole words") {
    for (unsigned set = 0; set < 16; ++set) {
        tcp_header header{.source_port = 1, .destination_port = 2, .is_syn = true};
        if ((set & 1) != 0)
            header.options.mss = 1460;
        if ((set & 2) != 0)
            header.options.window_scale = 7;
        header.options.sack_permitted = (set & 4) != 0;
        if ((set & 8) != 0)
            header.options.timestamps = tcp_timestamps{1, 2};
        CHECK(header.options.size() % 4 == 0);
        packet ours(header.size(), std::byte{0xee});
        header.write(ours, a, b, checksum{});
        CHECK(header_of(tcp_view::parse(ours).value()) == header);
    }
}

TEST_CASE("tcp: all flags are independent of each other") {
    for (unsigned set = 0; set < 256; ++set) {
        const tcp_header header{.source_port = 1,
                                .destination_port = 2,
                                .sequence = tcp_sequence{0xffff'ffff},
                                .acknowledgment = (set & 1) != 0 ? std::optional{tcp_sequence{5}} : std::nullopt,
                                .is_syn = (set & 2) != 0,
                                .is_fin = (set & 4) != 0,
                                .is_rst = (set & 8) != 0,
                                .is_push = (set & 16) != 0,
                                .has_ecn_echo = (set & 32) != 0,
                                .has_window_reduced = (set & 64) != 0,
                                .window = 1,
                                .urgent = (set & 128) != 0 ? std::optional<std::uint16_t>{3} : std::nullopt};
        packet ours(header.size());
        header.write(ours, a, b, checksum{});
        CHECK(header_of(tcp_view::parse(ours).value()) == header);
    }
}

TEST_CASE("tcp: for a device that completes checksums, the field holds the pseudo-header's sum") {
    const tcp_header header{.source_port = 1, .destination_port = 2};
    packet ours(header.size());
    header.write_for_device(ours, a, b, 100);
    CHECK(load16(ours, 16) == checksum::pseudo_header(a, b, ip_protocol::tcp, 120).sum());
}

TEST_CASE("tcp_sequence: RFC 9293 3.4: comparisons go around") {
    const tcp_sequence zero{0}, last{0xffff'ffff};
    CHECK(last < zero);
    CHECK(zero > last);
    CHECK(last + 1 == zero);
    CHECK(zero - 1 == last);
    CHECK(zero - last == 1);
    CHECK(last - zero == -1);
    CHECK(zero <= zero);
    CHECK(zero >= zero);
    CHECK_FALSE(zero < zero);
    CHECK(tcp_sequence{0x7fff'ffff} > zero);
}

}  // namespace
