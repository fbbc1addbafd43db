// SPDX-License-Identifier: BSD-3-Clause
// A stack on one end of a cable, and a test that plays all other hosts at its other end, under a clock moved by hand.
#pragma once

#include "fiber_world.hpp"

#include <doctest/doctest.h>

#include <halvm/model/loopback.hpp>
#include <halvm/net/stack.hpp>
#include <halvm/net/udp.hpp>
#include <halvm/net/wire/frame.hpp>

#include <chrono>
#include <random>
#include <string>
#include <vector>

namespace halvm::test {

using namespace std::chrono_literals;
using octets = std::vector<std::byte>;

class seeded_random final : public net::random_source {
public:
    explicit seeded_random(std::uint64_t seed = 1) : numbers_{seed} {}
    std::uint64_t next() noexcept override { return numbers_(); }

private:
    std::mt19937_64 numbers_;
};

/// Until whoever can run has run, without time passing.
inline void settle() {
    for (int i = 0; i < 30; ++i)
        fiber::yield();
}
inline void pass(std::chrono::nanoseconds time) { fiber::sleep(fiber::within(time)); }

inline octets bytes_of(const packet& from) {
    octets all(from.size());
    from.copy_out(0, all);
    return all;
}
inline octets octets_of(std::string_view text) {
    const const_bytes data = as_bytes(text);
    return {data.begin(), data.end()};
}
inline std::string text_of(const packet& from) { return std::string{as_text(bytes_of(from))}; }
inline octets pattern(std::size_t size) {
    octets made(size);
    for (std::size_t i = 0; i < size; ++i)
        made[i] = static_cast<std::byte>(i * 7 + i / 251);
    return made;
}

constexpr mac_address our_mac{{2, 0, 0, 0, 0, 1}}, peer_mac{{2, 0, 0, 0, 0, 2}};
constexpr net::ipv4_address us{10, 0, 0, 2}, gateway{10, 0, 0, 1}, other_host{10, 0, 0, 7};

/// An IPv4 packet in a frame.
struct sent_ipv4 {
    net::wire::ipv4_header header{};
    octets payload{};
    mac_address to = our_mac;
    mac_address from = peer_mac;

    [[nodiscard]] octets frame() const {
        octets made(14 + header.size());
        net::wire::ethernet_header{to, from, net::wire::ethertype::ipv4}.write(made);
        header.write(bytes{made}.subspan(14), payload.size());
        made.insert(made.end(), payload.begin(), payload.end());
        return made;
    }
};

inline octets udp_segment(net::endpoint from, net::endpoint to, const octets& payload) {
    octets made(8);
    net::wire::udp_header{from.port, to.port}.write(made, from.address, to.address, net::checksum{payload});
    made.insert(made.end(), payload.begin(), payload.end());
    return made;
}
inline octets udp_frame(net::endpoint from, net::endpoint to, const octets& payload, mac_address mac = our_mac) {
    return sent_ipv4{{.source = from.address.v4(), .destination = to.address.v4()}, udp_segment(from, to, payload), mac}
        .frame();
}
inline octets echo_message(std::uint16_t identifier, std::uint16_t sequence, const octets& data,
                           bool is_reply = false) {
    octets made(8);
    net::wire::icmpv4_echo{is_reply, identifier, sequence}.write(made, net::checksum{data});
    made.insert(made.end(), data.begin(), data.end());
    return made;
}
inline octets icmp_frame(net::ipv4_address from, net::ipv4_address to, const octets& message,
                         mac_address mac = our_mac) {
    return sent_ipv4{{.source = from, .destination = to, .protocol = net::ip_protocol::icmp}, message, mac}.frame();
}
inline octets arp_frame(const net::wire::arp_packet& what, mac_address to = mac_address::broadcast()) {
    octets made(14 + net::wire::arp_packet::size());
    net::wire::ethernet_header{to, what.sender_mac, net::wire::ethertype::arp}.write(made);
    what.write(bytes{made}.subspan(14));
    return made;
}
/// An error of `reporter` about a frame that was sent.
inline octets icmp_error_frame(net::ipv4_address reporter, const net::wire::icmpv4_error& what, const octets& about) {
    const auto original = net::wire::ipv4_view::parse(const_bytes{about}.subspan(14)).value();
    octets message(net::wire::icmpv4_error::size(original));
    what.write(message, original);
    return icmp_frame(reporter, original.source(), message);
}
inline net::wire::ipv4_view ipv4_of(const octets& frame) {
    return net::wire::ipv4_view::parse(const_bytes{frame}.subspan(14)).value();
}
inline net::wire::udp_view udp_of(const octets& frame) {
    return net::wire::udp_view::parse(ipv4_of(frame).payload()).value();
}

struct stack_world {
    explicit stack_world(const net::stack_limits& limits = {}, const model::loopback_options& cable = {})
        : ends{model::loopback_nic::make_pair(cable).value()},
          peer{std::move(ends.second)},
          stack{std::move(ends.first), {.limits = limits, .random = &random}} {
        listener = fiber::spawn(
            [this](std::stop_token stop) {
                std::array<packet, 16> frames;
                for (;;) {
                    const auto count = peer.receive(frames, stop);
                    if (!count)
                        return;
                    for (packet& one : std::span{frames}.first(*count))
                        hear(bytes_of(std::exchange(one, {})));
                }
            },
            {.name = "peer", .service = true});
    }

    void hear(octets frame) {
        if (answers_arp && net::wire::ethernet_view::parse(frame)->type() == net::wire::ethertype::arp) {
            const auto asked = net::wire::arp_view::parse(const_bytes{frame}.subspan(14)).value();
            if (asked.target() == gateway || asked.target() == other_host)
                return put(arp_frame(net::wire::arp_packet::reply_to(asked, peer_mac, asked.target()), our_mac));
        }
        heard.push_back(std::move(frame));
    }
    /// Until it has announced its address.
    void configure() {
        REQUIRE(stack.configure("10.0.0.2/24", net::ip_address{gateway}));
        pass(2100ms);
        heard.clear();
    }
    /// The stack knows this neighbour from now on.
    void introduce(net::ipv4_address address, mac_address mac = peer_mac) {
        send(arp_frame({net::wire::arp_operation::request, mac, address, {}, us}));
        heard.clear();
    }
    void put(const octets& frame) {
        auto made = peer.allocate(frame.size());
        REQUIRE(made);
        made->copy_in(0, frame);
        std::array<packet, 1> one{std::move(*made)};
        REQUIRE(peer.transmit(one, {}));
    }
    void send(const octets& frame) {
        put(frame);
        settle();
    }
    /// A line for each frame that was heard since the last call.
    std::vector<std::string> said() {
        settle();
        std::vector<std::string> lines;
        for (const octets& frame : std::exchange(heard, {})) {
            std::array<char, 512> room{};
            text_sink out{room};
            net::wire::describe_frame(frame, out);
            // Without the link's part, but for whether it goes to all.
            const std::string whole{out.view()};
            const bool to_all = frame.size() > 5 && (static_cast<unsigned>(frame[0]) & 1) != 0;
            lines.push_back((to_all ? "all: " : "") + whole.substr(whole.find("; ") + 2));
        }
        return lines;
    }
    octets only() {
        settle();
        REQUIRE(heard.size() == 1);
        return std::exchange(heard, {}).front();
    }
    std::size_t silent() {
        settle();
        return std::exchange(heard, {}).size();
    }
    const net::stack_statistics& counted() { return stack.statistics(); }

    fiber_world world;
    seeded_random random;
    std::pair<model::loopback_nic, model::loopback_nic> ends;
    model::loopback_nic peer;
    std::vector<octets> heard;
    bool answers_arp = false;  ///< for the gateway and the other host, who are not heard of then
    net::stack stack;
    fiber::handle<void> listener;
};

}  // namespace halvm::test
