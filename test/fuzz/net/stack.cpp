// SPDX-License-Identifier: BSD-3-Clause
// A whole stack, busy with DHCP, a name, a ping and a socket, is sent a sequence of frames. Whatever they are, it does
// not crash, holds no more than its limits say, answers a good client at the end, and gives all memory back.
//
// An input is a sequence of steps: a byte, of which the low two bits say which, and the others how long; then two bytes
// of length and a frame. 0: the frame as it is; 1 and 2: with its checksums made right; 3: time passes.
#include "fuzz.hpp"
#include "net/seeds.hpp"
#include "net/stack_world.hpp"

#include <halvm/net/dhcp.hpp>
#include <halvm/net/dns.hpp>

namespace {

using namespace halvm;
using namespace halvm::net;
using namespace halvm::net::literals;
using namespace std::chrono_literals;
using fuzz::must;

/// What the frame's headers say that the sums should be.
void make_right(test::octets& frame) {
    const auto header = wire::ipv4_view::parse(const_bytes{frame}.subspan(std::min<std::size_t>(14, frame.size())));
    if (frame.size() < 34 || !header)
        return;
    const std::size_t at = 14 + header->header().size(), size = header->payload().size();
    const bytes ip = bytes{frame}.subspan(14), segment = bytes{frame}.subspan(at, size);
    if (!header->is_fragment() && header->protocol() == ip_protocol::udp && size >= 8) {
        // One of zero is none.
        wire::store16(segment, 4, static_cast<std::uint16_t>(size));
        wire::store16(segment, 6, 0);
    } else if (!header->is_fragment() && header->protocol() == ip_protocol::icmp && size >= 8) {
        wire::store16(segment, 2, 0);
        wire::store16(segment, 2, checksum{segment}.value());
    }
    wire::store16(ip, 10, 0);
    wire::store16(ip, 10, checksum{ip.first(at - 14)}.value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const packet_pool_shape memory{.large = 2048, .large_count = 96, .small_count = 96};
    test::fiber_world world;
    test::seeded_random random;
    auto [near, peer] = model::loopback_nic::make_pair({.drops = true, .memory = memory}).value();
    const auto idle = peer.idle();
    bool answered = false;
    auto listening = fiber::spawn(
        [&](std::stop_token stop) {
            std::array<packet, 16> frames;
            while (const auto count = peer.receive(frames, stop))
                for (packet& one : std::span{frames}.first(*count)) {
                    const test::octets frame = test::bytes_of(std::exchange(one, {}));
                    must(frame.size() >= 42, "whatever is sent has a whole header");
                    if (wire::load16(frame, 12) == 0x0800 && frame[23] == std::byte{1} && frame[34] == std::byte{0} &&
                        wire::load16(frame, 38) == 0x4242 && wire::load_ipv4(frame, 30) == "10.0.0.77"_ipv4)
                        answered = true;
                }
        },
        {.service = true});
    {
        stack own{std::move(near),
                  {.limits = {.neighbours = 8, .reassemblies = 4, .fragments = 16, .path_mtus = 4, .udp_queue = 8},
                   .random = &random}};
        must(static_cast<bool>(own.configure("10.0.0.2/24", "10.0.0.1"_ip)), "it can be configured");
        own.name_service().servers = {"10.0.0.1"_ip};
        auto socket = own.udp().bind(53).value();
        std::array<fiber::handle<void>, 4> busy{
            fiber::spawn([&](std::stop_token stop) {
                std::array<datagram, 4> some;
                while (const auto count = socket.receive_from(some, stop))
                    for (datagram& one : std::span{some}.first(*count))
                        static_cast<void>(socket.send_to(std::move(one.payload), one.remote, fiber::within(1s)));
            }),
            fiber::spawn([&](std::stop_token stop) { (void)own.ping("10.0.0.1"_ip, fiber::within(100s, stop)); }),
            fiber::spawn([&](std::stop_token stop) { (void)own.dns().resolve("a.b", fiber::within(100s, stop)); }),
            fiber::spawn([&](std::stop_token stop) { (void)own.dhcp(fiber::within(100s, stop)); })};
        test::settle();
        const auto send = [&](const test::octets& frame) {
            auto made = peer.allocate(frame.size());
            if (!made)
                return;
            made->copy_in(0, frame);
            std::array<packet, 1> one{std::move(*made)};
            peer.try_transmit(one);
        };
        for (const_bytes rest{reinterpret_cast<const std::byte*>(data), size}; rest.size() >= 3;) {
            const unsigned step = wire::load8(rest, 0);
            const std::size_t length = std::min<std::size_t>(wire::load16(rest, 1), rest.size() - 3);
            test::octets frame{rest.begin() + 3, rest.begin() + 3 + static_cast<std::ptrdiff_t>(length)};
            rest = rest.subspan(3 + length);
            if (step % 4 == 3)
                test::pass(std::chrono::milliseconds{(step / 4) * (step / 4) * 20});
            if (step % 4 != 0)
                make_right(frame);
            if (frame.size() <= 1514)
                send(frame);
            for (int i = 0; i < 4; ++i)
                fiber::yield();
        }
        test::settle();
        must(own.neighbours().all().size() <= 8, "the table of neighbours has its limit");
        if (own.is_ours("10.0.0.2"_ip)) {
            send(test::arp_frame(wire::arp_packet::request(test::peer_mac, "10.0.0.77"_ipv4, "10.0.0.2"_ipv4)));
            send(test::icmp_frame("10.0.0.77"_ipv4, "10.0.0.2"_ipv4, test::echo_message(0x4242, 1, {})));
            test::settle();
            must(answered || own.is_ours("10.0.0.77"_ip) || own.at(1).is_broadcast("10.0.0.77"_ipv4),
                 "a good client is answered");
        }
    }
    listening = {};
    must(peer.idle() == idle, "all memory comes back");
    return 0;
}

std::vector<halvm::fuzz::input> halvm::fuzz::seeds() {
    using test::octets;
    const endpoint them{"10.0.0.1"_ip, 4000}, us{"10.0.0.2"_ip, 53};
    const auto step = [](unsigned kind, const octets& frame) {
        input made{std::byte{static_cast<std::uint8_t>(kind)}, static_cast<std::byte>(frame.size() >> 8),
                   static_cast<std::byte>(frame.size())};
        made.insert(made.end(), frame.begin(), frame.end());
        return made;
    };
    const auto join = [](std::vector<input> parts) {
        input whole;
        for (const input& one : parts)
            whole.insert(whole.end(), one.begin(), one.end());
        return whole;
    };
    const octets arp = test::arp_frame(wire::arp_packet::request(test::peer_mac, test::gateway, test::us));
    const octets answer =
        test::arp_frame({wire::arp_operation::reply, test::peer_mac, test::gateway, test::our_mac, test::us});
    const octets echo = test::icmp_frame(test::gateway, test::us, test::echo_message(1, 2, test::pattern(40)));
    const octets datagram = test::udp_frame(them, us, test::pattern(60));
    const octets closed = test::udp_frame(them, {us.address, 99}, test::pattern(60));
    const octets ours = test::udp_frame(us, them, test::pattern(30));
    wire::ipv4_header first{.source = test::gateway, .destination = test::us, .identification = 9};
    first.has_more_fragments = true;
    wire::ipv4_header second = first;
    second.has_more_fragments = false;
    second.fragment_offset = 64;
    const octets segment = test::udp_segment(them, us, test::pattern(80));
    const octets one = test::sent_ipv4{first, {segment.begin(), segment.begin() + 64}}.frame();
    const octets two = test::sent_ipv4{second, {segment.begin() + 64, segment.end()}}.frame();
    wire::dhcpv4_message offer{.type = wire::dhcpv4_type::offer,
                               .hardware_address = test::our_mac,
                               .own_address = {10, 0, 0, 50},
                               .server_identifier = test::gateway,
                               .prefix_length = 24,
                               .lease_time = wire::dhcpv4_seconds{600}};
    octets message(offer.size());
    offer.write(message);
    const octets dhcp =
        test::udp_frame({test::gateway, 67}, {ipv4_address::broadcast(), 68}, message, mac_address::broadcast());
    return {join({step(1, arp), step(1, echo), step(1, datagram)}),
            join({step(0, answer), step(1, closed), step(3 + 4 * 40, closed), step(1, echo)}),
            join({step(1, arp), step(1, one), step(1, two), step(1, one), step(3 + 4 * 60, two)}),
            join({step(1, arp), step(1, test::icmp_error_frame(test::gateway, wire::icmpv4_error::too_big(600), ours)),
                  step(1, test::icmp_error_frame(
                              test::gateway, wire::icmpv4_error::unreachable(wire::unreachable_code::port), ours))}),
            join({step(0, dhcp), step(3 + 4 * 20, dhcp), step(0, answer), step(1, datagram)})};
}
