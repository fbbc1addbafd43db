// SPDX-License-Identifier: BSD-3-Clause
// Fragments both ways, and how much a path carries.
#include "net/stack_world.hpp"

#include <algorithm>
#include <numeric>

namespace {

using namespace halvm;
using namespace halvm::test;
using namespace halvm::net;
using namespace halvm::net::literals;

const endpoint their_end{gateway, 4000};
const endpoint our_end{us, 53};

octets fragment(const octets& whole, std::size_t begin, std::size_t end, std::uint16_t identification = 7) {
    wire::ipv4_header header{.source = gateway, .destination = us, .identification = identification};
    header.fragment_offset = static_cast<std::uint16_t>(begin);
    header.has_more_fragments = end < whole.size();
    return sent_ipv4{
        header, {whole.begin() + static_cast<std::ptrdiff_t>(begin), whole.begin() + static_cast<std::ptrdiff_t>(end)}}
        .frame();
}

std::vector<octets> fragments(const octets& whole, std::size_t size, std::uint16_t identification = 7) {
    std::vector<octets> made;
    for (std::size_t at = 0; at < whole.size(); at += size)
        made.push_back(fragment(whole, at, std::min(at + size, whole.size()), identification));
    return made;
}

/// One that has a socket on port 53, and knows the gateway.
struct fragment_world : stack_world {
    explicit fragment_world(const stack_limits& limits = {}, const model::loopback_options& cable = {})
        : stack_world{limits, cable} {
        configure();
        introduce(gateway);
        socket = stack.udp().bind(53).value();
    }
    std::optional<octets> received() {
        settle();
        auto one = socket->try_receive();
        return one ? std::optional{bytes_of(one->payload)} : std::nullopt;
    }
    std::optional<udp_socket> socket;
};

TEST_CASE("fragments: RFC 791 3.2: a datagram is put together, in whatever order its pieces come") {
    fragment_world net;
    std::mt19937 random{5};
    for (const std::size_t size : {100u, 1480u, 4000u, 20'000u}) {
        const octets data = pattern(size);
        auto pieces = fragments(udp_segment(their_end, our_end, data), size > 10'000 ? 1480 : 40);
        for (int round = 0; round < 5; ++round) {
            for (const octets& one : pieces)
                net.send(one);
            CHECK(net.received() == data);
            std::shuffle(pieces.begin(), pieces.end(), random);
        }
    }
    CHECK(net.counted().ip.reassembled == 20);
    CHECK(net.silent() == 0);
}

TEST_CASE("fragments: RFC 791 3.2: those of other datagrams, hosts and protocols are kept apart") {
    fragment_world net;
    const octets one = pattern(100), two = octets(100, std::byte{9});
    const auto first = fragments(udp_segment(their_end, our_end, one), 40, 1);
    const auto second = fragments(udp_segment(their_end, our_end, two), 40, 2);
    for (std::size_t i = 0; i < first.size(); ++i) {
        net.send(first[i]);
        net.send(second[i]);
    }
    CHECK(net.received() == one);
    CHECK(net.received() == two);
}

TEST_CASE("fragments: RFC 5722 4: an overlap ends the whole datagram, and what comes late makes no new one") {
    const octets whole = udp_segment(their_end, our_end, pattern(100));
    // Teardrop, a piece within another, one that another is within, a last one before the end, and two ends.
    const std::array<std::array<std::pair<std::size_t, std::size_t>, 2>, 5> overlaps{{{{{0, 48}, {40, 80}}},
                                                                                      {{{0, 80}, {16, 32}}},
                                                                                      {{{16, 32}, {8, 80}}},
                                                                                      {{{40, 80}, {32, 48}}},
                                                                                      {{{0, 16}, {8, 108}}}}};
    for (const auto& [one, two] : overlaps) {
        fragment_world net;
        net.send(fragment(whole, one.first, one.second));
        net.send(fragment(whole, two.first, two.second));
        for (const octets& each : fragments(whole, 40))
            net.send(each);
        CHECK_FALSE(net.received());
        CHECK(net.counted().ip.overlaps == 1);
        // After its time, the same number is good again.
        pass(31s);
        for (const octets& each : fragments(whole, 40))
            net.send(each);
        CHECK(net.received());
    }
    fragment_world net;
    net.send(fragment(whole, 40, 108));
    net.send(fragment({whole.begin(), whole.begin() + 90}, 40, 90));
    CHECK(net.counted().ip.overlaps == 1);
}

TEST_CASE("fragments: RFC 8200 4.5: one that merely comes twice does no harm") {
    fragment_world net;
    const octets data = pattern(100);
    for (const octets& each : fragments(udp_segment(their_end, our_end, data), 40)) {
        if (net.counted().ip.reassembled == 0)
            net.send(each);
        net.send(each);
    }
    CHECK(net.received() == data);
    CHECK(net.counted().ip.repeated_fragments >= 2);
}

TEST_CASE("fragments: RFC 1122 3.3.2: what is not whole in time is given up, and its sender told if the first came") {
    fragment_world net;
    const octets whole = udp_segment(their_end, our_end, pattern(100));
    net.send(fragment(whole, 0, 40, 1));
    net.send(fragment(whole, 40, 80, 2));
    pass(29s);
    CHECK(net.silent() == 0);
    net.introduce(gateway);
    pass(2s);
    CHECK(net.said() == std::vector<std::string>{
                            "10.0.0.2 > 10.0.0.1, ICMP, ttl 64, length 88; ICMP time exceeded in reassembly, about "
                            "10.0.0.1 > 10.0.0.2, UDP 4000 > 53, length 68"});
    CHECK(net.counted().ip.reassembly_timeouts == 2);
    for (const octets& each : fragments(whole, 40, 1))
        net.send(each);
    CHECK(net.received());
}

TEST_CASE("fragments: a flood of pieces is held to its limits, and a whole datagram still gets through") {
    fragment_world net{{.reassemblies = 4, .fragments = 8}};
    const octets whole = udp_segment(their_end, our_end, pattern(100));
    for (std::uint16_t i = 0; i < 500; ++i) {
        net.send(fragment(whole, 40, 80, static_cast<std::uint16_t>(100 + i)));
        if (i % 100 == 0) {
            for (const octets& each : fragments(whole, 40, i))
                net.send(each);
            CHECK(net.received());
        }
    }
    CHECK(net.counted().ip.reassembly_limit >= 490);
    // Nor does one datagram of many pieces hold more than all may.
    for (const octets& each : fragments(whole, 8, 1))
        net.send(each);
    CHECK_FALSE(net.received());
}

TEST_CASE("fragments: RFC 791 3.2: what is too big goes in pieces of a multiple of 8, for odd MTUs too") {
    for (const std::uint32_t mtu : {1500u, 1499u, 577u, 1007u}) {
        fragment_world net{{}, {.mtu = mtu}};
        const octets data = pattern(5001);
        REQUIRE(net.socket->send_to(data, their_end));
        settle();
        octets whole;
        std::size_t last = 0;
        for (const octets& frame : net.heard) {
            const auto piece = ipv4_of(frame);
            CHECK(piece.has_right_checksum());
            CHECK(piece.total_length() <= mtu);
            CHECK(piece.fragment_offset() == whole.size());
            CHECK(piece.identification() == ipv4_of(net.heard[0]).identification());
            last += piece.has_more_fragments() ? 0 : 1;
            whole.insert(whole.end(), piece.payload().begin(), piece.payload().end());
        }
        CHECK(last == 1);
        const auto datagram = wire::udp_view::parse(whole).value();
        CHECK(datagram.has_right_checksum(us, gateway));
        CHECK(octets{datagram.payload().begin(), datagram.payload().end()} == data);
        net.heard.clear();
    }
}

TEST_CASE("fragments: RFC 791 3.1: what must not be fragmented is refused and not cut") {
    fragment_world net;
    auto whole = net.stack.udp().bind({.may_be_fragmented = false}).value();
    REQUIRE(whole.send_to(octets(1472), their_end));
    CHECK(ipv4_of(net.only()).may_not_be_fragmented());
    CHECK(whole.send_to(octets(1473), their_end).error().code() == std::errc::message_size);
    CHECK(net.silent() == 0);
    CHECK(net.counted().ip.too_big == 1);
}

TEST_CASE("fragments: an echo request of 8000 bytes is answered in pieces") {
    fragment_world net;
    octets message = echo_message(1, 2, pattern(8000));
    std::size_t at = 0;
    for (; at < message.size(); at += 1480) {
        wire::ipv4_header header{
            .source = gateway, .destination = us, .protocol = ip_protocol::icmp, .identification = 3};
        const std::size_t end = std::min(at + 1480, message.size());
        header.fragment_offset = static_cast<std::uint16_t>(at);
        header.has_more_fragments = end != message.size();
        net.put(sent_ipv4{
            header,
            {message.begin() + static_cast<std::ptrdiff_t>(at), message.begin() + static_cast<std::ptrdiff_t>(end)}}
                    .frame());
    }
    settle();
    octets whole;
    for (const octets& frame : net.heard) {
        const const_bytes payload = ipv4_of(frame).payload();
        whole.insert(whole.end(), payload.begin(), payload.end());
    }
    CHECK(whole == echo_message(1, 2, pattern(8000), true));
    net.heard.clear();
}

TEST_CASE("path MTU: RFC 1191 6.3: a router's word is kept for its time, never raises, and has a floor") {
    fragment_world net;
    const endpoint far{"192.0.2.9"_ip, 9};
    auto whole = net.stack.udp().bind({.may_be_fragmented = false}).value();
    REQUIRE(whole.connect(far));
    REQUIRE(whole.send(octets(1472)));
    const octets sent = net.only();
    const auto mtu = [&] { return net.stack.find_path(far.address)->mtu; };
    net.send(icmp_error_frame(gateway, wire::icmpv4_error::too_big(1400), sent));
    CHECK(mtu() == 1400);
    CHECK(whole.send(octets(1472)).error().code() == std::errc::message_size);
    CHECK(whole.send(octets(1473)).error().code() == std::errc::message_size);
    REQUIRE(whole.send(octets(1372)));
    CHECK(net.silent() == 1);
    net.send(icmp_error_frame(gateway, wire::icmpv4_error::too_big(1450), sent));
    CHECK(mtu() == 1400);
    net.send(icmp_error_frame(gateway, wire::icmpv4_error::too_big(68), sent));
    CHECK(mtu() == 552);
    CHECK(net.stack.find_path("192.0.2.10"_ip)->mtu == 1500);
    // Others go in pieces now, of that size.
    REQUIRE(net.socket->send_to(octets(1000), far));
    settle();
    CHECK(net.heard.size() == 2);
    net.heard.clear();
    pass(601s);
    CHECK(mtu() == 1500);
}

TEST_CASE("path MTU: RFC 1191 5: a router that does not say how much means the next lower plateau") {
    fragment_world net;
    const endpoint far{"192.0.2.9"_ip, 9};
    REQUIRE(net.socket->send_to(octets(1472), far));
    octets error = icmp_error_frame(gateway, wire::icmpv4_error::too_big(1400), net.only());
    // The field, and the checksum that counts it.
    wire::store16(error, 14 + 20 + 2, checksum::updated(wire::load16(error, 14 + 20 + 2), 1400, 0));
    wire::store16(error, 14 + 20 + 6, 0);
    net.send(error);
    CHECK(net.stack.find_path(far.address)->mtu == 1492);
    CHECK(net.counted().icmp.mtu_reduced == 1);
}

}  // namespace
