// SPDX-License-Identifier: BSD-3-Clause
// The stack from its NIC up to sockets: ARP, IPv4, ICMP and UDP, frame by frame.
#include "net/stack_world.hpp"

#include <halvm/net/offload.hpp>

namespace {

using namespace halvm;
using namespace halvm::test;
using namespace halvm::net;
using namespace halvm::net::literals;
using lines = std::vector<std::string>;

const endpoint their_end{gateway, 4000};
const endpoint our_end{us, 53};

TEST_CASE("stack: two in one program, joined by a cable, know nothing of each other's state") {
    fiber_world world;
    seeded_random random;
    auto [left, right] = model::loopback_nic::make_pair().value();
    stack one{std::move(left), {.random = &random}};
    stack two{std::move(right), {.random = &random}};
    REQUIRE(one.configure("10.0.0.1/24"));
    REQUIRE(two.configure("10.0.0.2/24"));
    CHECK(one.ping("10.0.0.2"_ip, fiber::within(1s)));
    auto server = two.udp().bind(53).value();
    auto client = one.udp().bind().value();
    REQUIRE(client.connect({"10.0.0.2"_ip, 53}));
    REQUIRE(client.send(octets_of("question")));
    auto asked = server.receive_from(fiber::within(1s));
    REQUIRE(asked);
    CHECK(text_of(asked->payload) == "question");
    CHECK(asked->local == "10.0.0.2"_ip);
    // Sent back in the memory in which it came.
    REQUIRE(server.send_to(std::move(asked->payload), asked->remote));
    CHECK(text_of(client.receive_from(fiber::within(1s))->payload) == "question");
    CHECK(one.statistics().udp.received == 1);
    CHECK(two.statistics().udp.received == 1);
    CHECK(one.udp().bind(53));
}

TEST_CASE("stack: loopback is there without a NIC, and all of 127.0.0.0/8") {
    fiber_world world;
    seeded_random random;
    stack own{{.random = &random}};
    CHECK(own.ping("127.0.0.1"_ip, fiber::within(1s)));
    CHECK(own.ping("127.9.9.9"_ip, fiber::within(1s)));
    CHECK(own.ping("127.0.0.1"_ip, fiber::within(1s), {.size = 20'000}));
    auto server = own.udp().bind(7).value();
    auto client = own.udp().bind().value();
    REQUIRE(client.send_to(octets_of("x"), {"127.0.0.1"_ip, 7}));
    CHECK(server.receive_from(fiber::within(1s))->remote.address == "127.0.0.1"_ip);
    CHECK(own.find_path("10.0.0.1"_ip).error() == std::make_error_code(std::errc::network_unreachable));
    CHECK(own.find_path("2001:db8::1"_ip).error() == std::make_error_code(std::errc::address_family_not_supported));
    REQUIRE(client.connect({"127.0.0.1"_ip, 9}));
    REQUIRE(client.send(octets_of("x")));
    CHECK(client.receive_from(fiber::within(1s)).error() == std::make_error_code(std::errc::connection_refused));
}

TEST_CASE("stack: our own address on a wire leads back to us, and never out") {
    stack_world net;
    net.configure();
    CHECK(net.stack.ping(us, fiber::within(1s)));
    CHECK(net.silent() == 0);
}

TEST_CASE("stack: configure refuses what no host can have") {
    stack_world net;
    const auto refused = [&](const interface_address& address, std::optional<ip_address> by = {}) {
        return net.stack.configure(address, by).error().code();
    };
    CHECK(refused("10.0.0.255/24") == std::errc::address_not_available);
    CHECK(refused("10.0.0.0/24") == std::errc::address_not_available);
    CHECK(refused("224.0.0.1/24") == std::errc::address_not_available);
    CHECK(refused("127.0.0.2/8") == std::errc::address_not_available);
    CHECK(refused("2001:db8::1/64") == std::errc::address_family_not_supported);
    CHECK(refused("10.0.0.2/24", "10.0.1.1"_ip) == std::errc::network_unreachable);
    CHECK(interface_address::parse("10.0.0/24").error().code() == address_errc::bad_count);
    REQUIRE(net.stack.configure("10.0.0.2/24"));
    CHECK(refused("10.0.0.2/16") == std::errc::address_in_use);
    stack alone{{.random = &net.random}};
    CHECK(alone.configure("10.0.0.2/24").error().code() == std::errc::no_such_device);
}

TEST_CASE("stack: who waits for a change of addresses is told of each") {
    stack_world net;
    const std::uint64_t before = net.stack.address_changes();
    auto told = fiber::spawn([&] { return net.stack.wait_for_addresses(before).value(); });
    settle();
    REQUIRE(net.stack.configure("10.0.0.2/24"));
    const std::uint64_t here = told.join();
    CHECK(here != before);
    CHECK(net.stack.wait_for_addresses(before).value() == here);
    CHECK(net.stack.wait_for_addresses(here, fiber::within(1s)).error().code() == std::errc::timed_out);
    CHECK(net.stack.remove_address(net.stack.at(1), ip_address{us}));
    CHECK(net.stack.wait_for_addresses(here).value() != here);
}

TEST_CASE("stack: routes: the longest prefix wins, nothing piles up, an address takes its routes along") {
    stack_world net;
    net.configure();
    interface& nic = net.stack.at(1);
    const route wide{"192.168.0.0/16"_prefix, &nic, gateway}, narrow{"192.168.7.0/24"_prefix, &nic, other_host};
    for (int i = 0; i < 3; ++i) {
        REQUIRE(net.stack.add_route(wide));
        REQUIRE(net.stack.add_route(narrow));
    }
    CHECK(net.stack.routes().size() == 4);
    CHECK(net.stack.find_path("192.168.1.1"_ip)->next_hop == ip_address{gateway});
    CHECK(net.stack.find_path("192.168.7.1"_ip)->next_hop == ip_address{other_host});
    CHECK(net.stack.find_path("8.8.8.8"_ip)->next_hop == ip_address{gateway});
    CHECK(net.stack.find_path("10.0.0.9"_ip)->next_hop == "10.0.0.9"_ip);
    CHECK(net.stack.find_path("10.0.0.9"_ip)->source == ip_address{us});
    CHECK(net.stack.find_path("10.0.0.255"_ip)->cast == ip_cast::broadcast);
    CHECK(net.stack.find_path("10.0.0.9"_ip, "10.0.0.3"_ip).error().code() == std::errc::address_not_available);
    CHECK(net.stack.add_route({"1.0.0.0/8"_prefix, &nic, "10.9.0.1"_ip}).error().code() ==
          std::errc::network_unreachable);
    CHECK(net.stack.remove_address(nic, us));
    CHECK_FALSE(net.stack.remove_address(nic, us));
    CHECK(net.stack.routes().empty());
}

TEST_CASE("stack: routes have a limit") {
    stack_world few{{.routes = 2}};
    few.configure();
    CHECK(few.stack.add_route({"1.0.0.0/8"_prefix, &few.stack.at(1), gateway}).error().code() ==
          std::errc::no_buffer_space);
}

TEST_CASE("arp: RFC 826: a request for our address is answered, others and replies are not") {
    stack_world net;
    net.configure();
    net.send(arp_frame(wire::arp_packet::request(peer_mac, gateway, us)));
    CHECK(net.said() == lines{"ARP, 10.0.0.2 is-at 02:00:00:00:00:01"});
    net.send(arp_frame(wire::arp_packet::request(peer_mac, gateway, "10.0.0.3"_ipv4)));
    net.send(arp_frame({wire::arp_operation::reply, peer_mac, gateway, our_mac, us}));
    CHECK(net.silent() == 0);
    CHECK(net.stack.neighbours().all().size() == 1);
}

TEST_CASE("arp: RFC 826: who asks for us is known, so that the answer needs no question") {
    stack_world net;
    net.configure();
    net.introduce(gateway);
    REQUIRE(net.stack.udp().bind()->send_to(octets_of("x"), their_end));
    const octets frame = net.only();
    CHECK(wire::ethernet_view::parse(frame)->destination() == peer_mac);
}

TEST_CASE("arp: RFC 1122 2.3.2.2: packets wait for the answer, the last ones when there are too many") {
    stack_world net{{.neighbour_queue = 2}};
    net.configure();
    auto socket = net.stack.udp().bind().value();
    for (const char* text : {"one", "two", "three"})
        REQUIRE(socket.send_to(octets_of(text), their_end));
    CHECK(net.said() == lines{"all: ARP, who-has 10.0.0.1 tell 10.0.0.2"});
    net.send(arp_frame({wire::arp_operation::reply, peer_mac, gateway, our_mac, us}, our_mac));
    settle();
    REQUIRE(net.heard.size() == 2);
    CHECK(as_text(udp_of(net.heard[0]).payload()) == "two");
    CHECK(as_text(udp_of(net.heard[1]).payload()) == "three");
    CHECK(net.counted().neighbours.queue_full == 1);
}

TEST_CASE("arp: RFC 1122 2.3.2.1: three questions a second apart, then the sender is told, and not asked for a while") {
    stack_world net;
    net.configure();
    auto socket = net.stack.udp().bind().value();
    REQUIRE(socket.connect(their_end));
    REQUIRE(socket.send(octets_of("x")));
    CHECK(socket.receive_from(fiber::within(10s)).error().code() == std::errc::host_unreachable);
    CHECK(net.said() == lines(3, "all: ARP, who-has 10.0.0.1 tell 10.0.0.2"));
    CHECK(socket.send(octets_of("x")).error().code() == std::errc::host_unreachable);
    CHECK(net.silent() == 0);
    CHECK(net.stack.ping(gateway, fiber::within(9s)).error().code() == std::errc::host_unreachable);
    pass(1100ms);
    REQUIRE(socket.send(octets_of("x")));
    CHECK(net.said().size() == 1);
    CHECK(net.counted().neighbours.absent == 1);
}

TEST_CASE("arp: an entry stays as long as it is used and answered for, one that is not fresh is asked for alone") {
    stack_world net;
    net.configure();
    net.introduce(gateway);
    auto socket = net.stack.udp().bind().value();
    const auto send = [&] {
        REQUIRE(socket.send_to(octets_of("x"), their_end));
        return net.said();
    };
    pass(29s);
    CHECK(send().size() == 1);
    pass(2s);
    const lines both = send();
    REQUIRE(both.size() == 2);
    CHECK(both[0] == "ARP, who-has 10.0.0.1 tell 10.0.0.2");
    net.send(arp_frame({wire::arp_operation::reply, peer_mac, gateway, our_mac, us}, our_mac));
    pass(20s);
    CHECK(send().size() == 1);
    // When nobody answers any more, it goes.
    pass(15s);
    CHECK(send().size() == 2);
    pass(3s);
    CHECK(net.said().size() == 2);
    CHECK(socket.send_to(octets_of("x"), their_end).error().code() == std::errc::host_unreachable);
}

TEST_CASE("arp: a flood of strangers pushes out none who is used") {
    stack_world net{{.neighbours = 4}};
    net.configure();
    net.introduce(gateway);
    auto socket = net.stack.udp().bind().value();
    for (unsigned i = 0; i < 100; ++i) {
        net.introduce(ipv4_address{10, 0, 0, static_cast<std::uint8_t>(100 + i)}, mac_address{{2, 0, 0, 9, 9, 9}});
        net.heard.clear();
        REQUIRE(socket.send_to(octets_of("x"), their_end));
        CHECK(wire::ethernet_view::parse(net.only())->destination() == peer_mac);
    }
    CHECK(net.stack.neighbours().all().size() == 4);
    CHECK(net.counted().neighbours.evicted >= 90);
    // Nor do those of other networks, or what is no host.
    net.introduce("10.0.1.1"_ipv4);
    net.introduce("10.0.0.255"_ipv4);
    for (const net::neighbour& one : net.stack.neighbours().all())
        CHECK("10.0.0.0/24"_prefix.contains(one.address));
}

TEST_CASE("arp: RFC 5227 2.1: an address is tried three times and announced twice, an answer means that it is taken") {
    stack_world net;
    const auto begin = fiber::clock::now();
    REQUIRE(net.stack.configure("10.0.0.2/24", {}, true));
    CHECK(fiber::clock::now() - begin >= 4s);
    CHECK(fiber::clock::now() - begin <= 7s);
    pass(5s);
    const lines heard = net.said();
    REQUIRE(heard.size() == 5);
    for (std::size_t i = 0; i < 5; ++i)
        CHECK(heard[i] ==
              (i < 3 ? "all: ARP, who-has 10.0.0.2 tell 0.0.0.0" : "all: ARP, who-has 10.0.0.2 tell 10.0.0.2"));
    auto other = fiber::spawn([&] { return net.stack.configure("10.0.0.3/24", {}, true); });
    pass(2500ms);
    net.send(arp_frame({wire::arp_operation::reply, peer_mac, "10.0.0.3"_ipv4, our_mac, {}}));
    CHECK(other.join().error().code() == std::errc::address_in_use);
    CHECK_FALSE(net.stack.is_ours("10.0.0.3"_ip));
    // Somebody else tries it at the same time.
    auto third = fiber::spawn([&] { return net.stack.configure("10.0.0.4/24", {}, true); });
    pass(2500ms);
    net.send(arp_frame(wire::arp_packet::probe(peer_mac, "10.0.0.4"_ipv4)));
    CHECK(third.join().error().code() == std::errc::address_in_use);
    CHECK(net.stack.configure("10.0.0.5/24", {}, true, fiber::within(1500ms)).error().code() == std::errc::timed_out);
}

TEST_CASE("arp: RFC 5227 2.4: an address is defended, but not endlessly") {
    stack_world net;
    net.configure();
    const octets claim = arp_frame(wire::arp_packet::announcement(peer_mac, us));
    net.send(claim);
    CHECK(net.said() == lines{"all: ARP, who-has 10.0.0.2 tell 10.0.0.2"});
    net.send(claim);
    CHECK(net.silent() == 0);
    pass(11s);
    net.send(claim);
    CHECK(net.said().size() == 1);
    CHECK(net.counted().neighbours.conflicts == 3);
}

TEST_CASE("link: what is not for us, unknown or too short is counted by its reason") {
    stack_world net;
    net.configure();
    octets frame = icmp_frame(gateway, us, echo_message(1, 1, {}), mac_address{{2, 0, 0, 0, 0, 9}});
    net.send(frame);
    CHECK(net.counted().link.for_others == 1);
    net.send(octets(14, std::byte{}));
    CHECK(net.counted().link.bad_frame == 1);
    frame = icmp_frame(gateway, us, echo_message(1, 1, {}));
    frame[12] = std::byte{0x88};
    net.send(frame);
    CHECK(net.counted().link.unknown_protocol == 1);
    CHECK(net.silent() == 0);
}

TEST_CASE("link: a link that comes back is told our addresses, without one, nothing is sent") {
    stack_world net;
    net.configure();
    net.peer.set_link(false);
    settle();
    CHECK(net.stack.ping(gateway, fiber::within(1s)).error().code() == std::errc::network_unreachable);
    net.peer.set_link(true);
    CHECK(net.said() == lines{"all: ARP, who-has 10.0.0.2 tell 10.0.0.2"});
}

TEST_CASE("ipv4: RFC 1122 3.2.1: bad headers and impossible addresses are dropped, each in its counter") {
    stack_world net;
    net.configure();
    net.introduce(gateway);
    const octets good = icmp_frame(gateway, us, echo_message(1, 1, octets_of("data")));
    const ip_statistics& counted = net.counted().ip;
    octets bad = good;
    bad[14] = std::byte{0x65};
    net.send(bad);
    CHECK(counted.bad_header == 1);
    bad = good;
    bad[22] = std::byte{9};
    net.send(bad);
    CHECK(counted.bad_checksum == 1);
    unsigned martians = 0;
    for (const ipv4_address from : {"127.0.0.1"_ipv4, "0.0.0.0"_ipv4, "255.255.255.255"_ipv4, "224.0.0.1"_ipv4,
                                    "240.0.0.1"_ipv4, "10.0.0.255"_ipv4, "10.0.0.0"_ipv4, us}) {
        net.send(icmp_frame(from, us, echo_message(1, 1, {})));
        CHECK(counted.bad_source == ++martians);
    }
    net.send(icmp_frame(gateway, "127.0.0.1"_ipv4, echo_message(1, 1, {})));
    net.send(icmp_frame(gateway, us, echo_message(1, 1, {}), mac_address::broadcast()));
    CHECK(counted.bad_destination == 2);
    net.send(icmp_frame(gateway, "10.0.0.9"_ipv4, echo_message(1, 1, {})));
    CHECK(counted.not_ours == 1);
    net.send(icmp_frame(gateway, "10.0.0.255"_ipv4, echo_message(1, 1, {}), mac_address::broadcast()));
    CHECK(net.counted().icmp.ignored == 1);
    CHECK(net.silent() == 0);
    CHECK(counted.delivered == 1);
}

TEST_CASE("ipv4: RFC 791 3.1: options are passed over, source routes are refused") {
    stack_world net;
    net.configure();
    net.introduce(gateway);
    wire::ipv4_header header{.source = gateway, .destination = us, .protocol = ip_protocol::icmp};
    header.options = wire::ipv4_options::router_alert();
    net.send(sent_ipv4{header, echo_message(1, 1, octets_of("x"))}.frame());
    CHECK(net.said() == lines{"10.0.0.2 > 10.0.0.1, ICMP, ttl 64, length 29; ICMP echo reply, id 1, seq 1, length 9"});
    for (const unsigned kind : {131u, 137u}) {
        const octets route{std::byte{static_cast<std::uint8_t>(kind)},
                           std::byte{7},
                           std::byte{4},
                           std::byte{10},
                           std::byte{0},
                           std::byte{0},
                           std::byte{1}};
        header.options = wire::ipv4_options::parse(route).value();
        net.send(sent_ipv4{header, echo_message(1, 1, octets_of("x"))}.frame());
    }
    CHECK(net.counted().ip.source_route == 2);
    CHECK(net.silent() == 0);
}

TEST_CASE("icmp: RFC 792: an echo request is answered with its data, whatever its size and padding") {
    stack_world net;
    net.configure();
    net.introduce(gateway);
    for (const std::size_t size : {0u, 1u, 17u, 1472u}) {
        octets frame = icmp_frame(gateway, us, echo_message(7, 9, pattern(size)));
        frame.resize(std::max<std::size_t>(frame.size(), 60));
        net.send(frame);
        const octets reply = net.only();
        const auto datagram = ipv4_of(reply);
        CHECK(datagram.has_right_checksum());
        CHECK(datagram.source() == us);
        CHECK(checksum{datagram.payload()}.is_right());
        const auto message = wire::icmpv4_view::parse(datagram.payload()).value();
        CHECK(wire::echo_of(message) == wire::icmpv4_echo{true, 7, 9});
        CHECK(octets{message.payload().begin(), message.payload().end()} == pattern(size));
    }
    octets spoiled = icmp_frame(gateway, us, echo_message(7, 9, pattern(9)));
    spoiled.back() ^= std::byte{1};
    net.send(spoiled);
    CHECK(net.silent() == 0);
    CHECK(net.counted().icmp.bad_message == 1);
}

TEST_CASE("icmp: RFC 1122 3.2.2.6: ping takes just the reply to its own question") {
    stack_world net;
    net.configure();
    net.introduce(gateway);
    auto pinging = fiber::spawn([&] { return net.stack.ping(gateway, fiber::within(5s), {.size = 100}); });
    const octets asked = net.only();
    const auto request = wire::icmpv4_view::parse(ipv4_of(asked).payload()).value();
    const octets data{request.payload().begin(), request.payload().end()};
    CHECK(data.size() == 100);
    pass(30ms);
    const auto number = static_cast<std::uint16_t>(request.identifier() + 1);
    net.send(icmp_frame(gateway, us, echo_message(number, request.sequence(), data, true)));
    net.send(icmp_frame(other_host, us, echo_message(request.identifier(), request.sequence(), data, true)));
    CHECK(net.counted().icmp.ignored == 2);
    net.send(icmp_frame(gateway, us, echo_message(request.identifier(), request.sequence(), data, true)));
    CHECK(pinging.join().value() == 30ms);
    CHECK(net.stack.ping(gateway, fiber::within(1s)).error().code() == std::errc::timed_out);
    std::stop_source stop;
    stop.request_stop();
    CHECK(net.stack.ping(gateway, stop.get_token()).error().code() == std::errc::operation_canceled);
    CHECK(net.stack.ping("10.0.0.255"_ip, fiber::within(1s)).error().code() == std::errc::permission_denied);
}

TEST_CASE("icmp: RFC 1122 3.2.2.1: errors tell of a port and a protocol that nobody has") {
    stack_world net;
    net.configure();
    net.introduce(gateway);
    auto open = net.stack.udp().bind(53).value();
    net.send(udp_frame(their_end, {us, 99}, octets_of("hello")));
    CHECK(net.said() == lines{"10.0.0.2 > 10.0.0.1, ICMP, ttl 64, length 61; ICMP unreachable: port, about "
                              "10.0.0.1 > 10.0.0.2, UDP 4000 > 99, length 41"});
    net.send(sent_ipv4{{.source = gateway, .destination = us, .protocol = ip_protocol{99}}, pattern(600)}.frame());
    const octets error = net.only();
    CHECK(ipv4_of(error).datagram().size() == 576);
    CHECK(wire::icmpv4_view::parse(ipv4_of(error).payload())->code() == 2);
}

TEST_CASE("icmp: RFC 1122 3.2.2: no error about an error, a fragment, a group, or what came to all") {
    stack_world net;
    net.configure();
    net.introduce(gateway);
    static_cast<void>(net.stack.udp());
    const octets closed = udp_segment(their_end, {us, 99}, octets_of("x"));
    wire::ipv4_header header{.source = gateway, .destination = us};
    header.protocol = ip_protocol{99};
    header.fragment_offset = 8;
    net.send(sent_ipv4{header, closed}.frame());
    header.fragment_offset = 0;
    net.send(sent_ipv4{header, closed, mac_address::broadcast()}.frame());
    net.send(udp_frame(their_end, {"10.0.0.255"_ipv4, 99}, {}, mac_address::broadcast()));
    net.send(udp_frame(their_end, {"224.0.0.1"_ipv4, 99}, {}, mac_address{{1, 0, 0x5e, 0, 0, 1}}));
    // An error about an error of ours with a protocol that we have not.
    octets about = sent_ipv4{{.source = us, .destination = gateway, .protocol = ip_protocol{99}}, pattern(8)}.frame();
    net.send(icmp_error_frame(gateway, wire::icmpv4_error::unreachable(wire::unreachable_code::port), about));
    CHECK(net.silent() == 0);
    CHECK(net.counted().icmp.errors_sent == 0);
    CHECK(net.counted().icmp.not_allowed == 2);
}

TEST_CASE("icmp: RFC 1812 4.3.2.8: errors have a rate, and a good client is answered all the same") {
    stack_world net{{.icmp_errors_per_second = 10, .icmp_error_burst = 5}};
    net.configure();
    net.introduce(gateway);
    auto server = net.stack.udp().bind(53).value();
    for (int i = 0; i < 50; ++i)
        net.put(udp_frame(their_end, {us, 99}, {}));
    net.put(udp_frame(their_end, our_end, octets_of("good")));
    CHECK(net.silent() == 5);
    CHECK(net.counted().icmp.rate_limited == 45);
    CHECK(text_of(server.receive_from(fiber::within(1s))->payload) == "good");
    pass(200ms);
    for (int i = 0; i < 5; ++i)
        net.put(udp_frame(their_end, {us, 99}, {}));
    CHECK(net.silent() == 2);
}

TEST_CASE("icmp: RFC 1122 4.1.3.3: an error reaches the socket that it is about, once, and no other") {
    stack_world net;
    net.configure();
    net.introduce(gateway);
    auto socket = net.stack.udp().bind(1000).value();
    auto other = net.stack.udp().bind(1001).value();
    REQUIRE(socket.connect(their_end));
    REQUIRE(other.connect(their_end));
    REQUIRE(socket.send(octets_of("x")));
    const octets sent = net.only();
    auto waiting = fiber::spawn([&] { return socket.receive_from(fiber::within(9s)); });
    settle();
    net.send(icmp_error_frame(gateway, wire::icmpv4_error::unreachable(wire::unreachable_code::port), sent));
    CHECK(waiting.join().error().code() == std::errc::connection_refused);
    CHECK(socket.receive_from(fiber::within(1s)).error().code() == std::errc::timed_out);
    CHECK(other.receive_from(fiber::within(1s)).error().code() == std::errc::timed_out);
    // About what we never sent.
    octets forged = udp_frame({"10.0.0.9"_ipv4, 1000}, their_end, octets_of("x"));
    net.send(icmp_error_frame(gateway, wire::icmpv4_error::unreachable(wire::unreachable_code::port), forged));
    CHECK(net.counted().icmp.errors_received == 1);
    // One that is not connected keeps it for who asks.
    socket.disconnect();
    REQUIRE(socket.send_to(octets_of("x"), their_end));
    net.send(icmp_error_frame(gateway, wire::icmpv4_error::unreachable(wire::unreachable_code::network), net.only()));
    const auto error = socket.take_error();
    REQUIRE(error);
    CHECK(error->code == std::errc::network_unreachable);
    CHECK(error->remote == their_end);
    CHECK_FALSE(socket.take_error());
}

TEST_CASE("udp: RFC 768: a socket bound to one of our addresses receives what comes there, and one to all does too") {
    stack_world net;
    net.configure();
    net.introduce(gateway);
    REQUIRE(net.stack.add_address(net.stack.at(1), interface_address{"10.0.0.8"_ip, 24}));
    auto wildcard = net.stack.udp().bind(53).value();
    auto bound = net.stack.udp().bind({.address = us, .port = 53}).value();
    auto connected = net.stack.udp().bind({.address = us, .port = 54}).value();
    REQUIRE(connected.connect(their_end));
    net.send(udp_frame(their_end, our_end, octets_of("bound")));
    net.send(udp_frame(their_end, {"10.0.0.8"_ip, 53}, octets_of("wild")));
    net.send(udp_frame(their_end, {us, 54}, octets_of("connected")));
    net.send(udp_frame({gateway, 4001}, {us, 54}, octets_of("stranger")));
    CHECK(text_of(bound.try_receive()->payload) == "bound");
    CHECK(text_of(wildcard.try_receive()->payload) == "wild");
    CHECK(text_of(connected.try_receive()->payload) == "connected");
    CHECK_FALSE(bound.try_receive());
    CHECK_FALSE(wildcard.try_receive());
    CHECK_FALSE(connected.try_receive());
    CHECK(net.counted().udp.no_port == 1);
    CHECK(net.stack.udp().bind(53).error().code() == std::errc::address_in_use);
    CHECK(net.stack.udp().bind({.address = "10.0.0.9"_ip}).error().code() == std::errc::address_not_available);
}

TEST_CASE("udp: RFC 768: a checksum of zero is none, a computed zero is sent as ones, a wrong one is dropped") {
    stack_world net;
    net.configure();
    net.introduce(gateway);
    auto socket = net.stack.udp().bind(53).value();
    octets frame = udp_frame(their_end, our_end, octets_of("hello"));
    frame[40] = frame[41] = std::byte{};
    net.send(frame);
    CHECK(text_of(socket.try_receive()->payload) == "hello");
    frame[41] = std::byte{1};
    net.send(frame);
    CHECK_FALSE(socket.try_receive());
    CHECK(net.counted().udp.bad_checksum == 1);
    // Of all payloads of two bytes one makes the sum zero.
    for (unsigned value = 0;; ++value) {
        const octets payload{std::byte{static_cast<std::uint8_t>(value >> 8)},
                             std::byte{static_cast<std::uint8_t>(value)}};
        if (wire::load16(udp_segment(our_end, their_end, payload), 6) != 0xffff)
            continue;
        REQUIRE(socket.send_to(payload, their_end));
        CHECK(wire::load16(ipv4_of(net.only()).payload(), 6) == 0xffff);
        break;
    }
    // A length that the datagram contradicts.
    frame = udp_frame(their_end, our_end, octets_of("hello"));
    frame[39] = std::byte{200};
    net.send(frame);
    CHECK(net.counted().udp.bad_datagram == 1);
}

TEST_CASE("udp: a device that does checksums is left them, and one that has done them is believed") {
    const nic_offloads sums{.checksum_ipv4 = true};
    stack_world net{{}, {.transmit = sums, .receive = sums}};
    net.configure();
    net.introduce(gateway);
    auto socket = net.stack.udp().bind(53).value();
    REQUIRE(socket.send_to(octets_of("hello"), their_end));
    const octets sent = net.only();
    CHECK_FALSE(udp_of(sent).has_right_checksum(us, gateway));
    octets frame = udp_frame(their_end, our_end, octets_of("hello"));
    frame[41] ^= std::byte{1};
    auto made = net.peer.allocate(frame.size()).value();
    made.copy_in(0, frame);
    made.metadata().checksum = packet_checksum::blank;
    made.metadata().checksum_start = 34;
    made.metadata().checksum_at = 6;
    std::array<packet, 1> one{std::move(made)};
    REQUIRE(net.peer.transmit(one, {}));
    settle();
    CHECK(socket.try_receive());
}

TEST_CASE("udp: RFC 1122 4.1.3.6: groups are sent to by who asked for it, and each socket with the port hears them") {
    stack_world net;
    net.configure();
    auto plain = net.stack.udp().bind(1000).value();
    CHECK(plain.send_to(octets_of("x"), {"10.0.0.255"_ip, 9}).error().code() == std::errc::permission_denied);
    auto caller = net.stack.udp().bind({.port = 1001, .broadcast = true}).value();
    for (const ip_address to : {"10.0.0.255"_ip, "255.255.255.255"_ip}) {
        REQUIRE(caller.send_to(octets_of("x"), {to, 9}));
        CHECK(wire::ethernet_view::parse(net.only())->destination() == mac_address::broadcast());
    }
    REQUIRE(caller.send_to(octets_of("x"), {"224.1.2.3"_ip, 9}));
    CHECK(wire::ethernet_view::parse(net.only())->destination() == mac_address{{1, 0, 0x5e, 1, 2, 3}});
    auto one = net.stack.udp().bind({.port = 9, .shared = true}).value();
    auto two = net.stack.udp().bind({.port = 9, .shared = true}).value();
    auto bound = net.stack.udp().bind({.address = us, .port = 9}).value();
    net.send(udp_frame(their_end, {"10.0.0.255"_ip, 9}, octets_of("all"), mac_address::broadcast()));
    net.send(udp_frame(their_end, {"255.255.255.255"_ip, 9}, octets_of("all"), mac_address::broadcast()));
    for (udp_socket* each : {&one, &two, &bound})
        for (int i = 0; i < 2; ++i)
            CHECK(text_of(each->receive_from(fiber::within(1s))->payload) == "all");
}

TEST_CASE("udp: a full queue drops what is new, of that socket only") {
    stack_world net{{.udp_queue = 4, .udp_queue_all = 6}};
    net.configure();
    net.introduce(gateway);
    auto flooded = net.stack.udp().bind(53).value();
    auto quiet = net.stack.udp().bind(54).value();
    for (int i = 0; i < 100; ++i)
        net.put(udp_frame(their_end, our_end, octets_of("flood")));
    net.send(udp_frame(their_end, {us, 54}, octets_of("good")));
    CHECK(text_of(quiet.try_receive()->payload) == "good");
    CHECK(flooded.dropped() == 96);
    CHECK(net.counted().udp.queue_full == 96);
    std::array<datagram, 8> all;
    CHECK(flooded.receive_from(all).value() == 4);
    CHECK(flooded.receive_from(fiber::within(10ms)).error().code() == std::errc::timed_out);
}

TEST_CASE("udp: a batch goes out in one call of the device, in its order") {
    stack_world net;
    net.configure();
    net.introduce(gateway);
    auto socket = net.stack.udp().bind(53).value();
    std::array<datagram, 20> batch;
    for (std::size_t i = 0; i < batch.size(); ++i) {
        batch[i] = {socket.allocate(their_end, 1).value(), their_end};
        batch[i].payload.front()[0] = static_cast<std::byte>(i);
    }
    CHECK(socket.send_to(batch).value() == 20);
    settle();
    REQUIRE(net.heard.size() == 20);
    for (std::size_t i = 0; i < batch.size(); ++i)
        CHECK(udp_of(net.heard[i]).payload()[0] == static_cast<std::byte>(i));
}

TEST_CASE("udp: whoever sends more than the NIC takes waits, up to his limit, and loses nothing") {
    stack_world net{{.transmit_queue = 4}, {.queue = 2}};
    net.configure();
    net.introduce(gateway);
    net.listener = {};
    auto socket = net.stack.udp().bind(53).value();
    unsigned sent = 0;
    for (; sent < 100; ++sent)
        if (!socket.send_to(octets_of("x"), their_end, fiber::within(1ms)))
            break;
    CHECK(sent >= 6);
    CHECK(sent < 50);
    CHECK(net.counted().link.queue_full == 0);
    auto rest = fiber::spawn([&] {
        for (int i = 0; i < 20; ++i)
            REQUIRE(socket.send_to(octets_of("y"), their_end));
    });
    std::array<packet, 4> frames;
    for (std::size_t left = sent + 20; left != 0;)
        left -= net.peer.receive(frames, {}).value();
    rest.join();
    frames = {};
}

TEST_CASE("udp: sizes: the greatest, one too many, and a payload of nothing") {
    stack_world net;
    net.configure();
    net.introduce(gateway);
    auto socket = net.stack.udp().bind(53).value();
    REQUIRE(socket.send_to(octets{}, their_end));
    CHECK(udp_of(net.only()).payload().empty());
    net.send(udp_frame(their_end, our_end, {}));
    CHECK(socket.try_receive()->payload.size() == 0);
    REQUIRE(socket.send_to(octets(65507), their_end));
    CHECK(net.silent() == 45);
    CHECK(socket.send_to(octets(65508), their_end).error().code() == std::errc::message_size);
    CHECK(socket.send_to(octets_of("x"), {gateway, 0}).error().code() == std::errc::destination_address_required);
    CHECK(socket.send(octets_of("x")).error().code() == std::errc::destination_address_required);
    octets room(3);
    endpoint from;
    net.send(udp_frame(their_end, our_end, octets_of("hello")));
    CHECK(socket.receive_from(bytes{room}, from).value() == 5);
    CHECK(as_text(room) == "hel");
    CHECK(from == their_end);
}

TEST_CASE("udp: ports are chosen where nobody can guess them, and given back") {
    stack_world net{{.udp_sockets = 3}};
    net.configure();
    std::vector<udp_socket> open;
    for (int i = 0; i < 3; ++i)
        open.push_back(net.stack.udp().bind().value());
    CHECK(open[0].local().port >= 49152);
    CHECK(open[1].local().port != open[0].local().port + 1);
    CHECK(net.stack.udp().bind().error().code() == std::errc::no_buffer_space);
    open.clear();
    CHECK(net.stack.udp().bind());
}

TEST_CASE("stack: all memory of the NIC comes back") {
    stack_world net;
    net.configure();
    net.introduce(gateway);
    const auto idle = net.peer.idle();
    {
        auto socket = net.stack.udp().bind(53).value();
        for (int i = 0; i < 70; ++i)
            net.put(udp_frame(their_end, our_end, pattern(1000)));
        net.send(icmp_frame(gateway, us, echo_message(1, 1, pattern(1400))));
        REQUIRE(socket.send_to(octets(5000), their_end));
        settle();
    }
    net.heard.clear();
    settle();
    CHECK(net.peer.idle() == idle);
}

}  // namespace
