// SPDX-License-Identifier: BSD-3-Clause
// Frames to a real back end and back: every size, segments joined up to 65,535 bytes, over several queues. A peer in
// dom0 sends each of them back, and counts them (tools/lab/dom0/frames.c).
#include "peer.hpp"

#include <halvm/fiber.hpp>
#include <halvm/program.hpp>
#include <halvm/xen/nics.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace peer_test;
using namespace std::chrono_literals;

/// The sum over addresses, protocol and length, which stands where a checksum is left to the device.
std::size_t pseudo_sum(std::span<const std::byte> addresses, std::size_t length) {
    std::uint64_t sum = 6 + length;
    for (std::size_t i = 0; i < addresses.size(); i += 2)
        sum += get(addresses, i, 2);
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

/// A TCP segment, or as many as it takes for `size` bytes of a frame.
frame_data make_tcp(mac_address from, bool ipv6, std::size_t size, std::uint32_t number) {
    frame_data made = make_frame(from, size, ipv6 ? 0x86dd : 0x0800, number);
    const std::size_t tcp = ipv6 ? 54 : 34;
    std::fill(made.begin() + 14, made.begin() + static_cast<std::ptrdiff_t>(tcp + 20), std::byte{});
    const auto set = [&](std::size_t at, unsigned value) { made[at] = static_cast<std::byte>(value); };
    if (ipv6) {
        set(14, 0x60);
        put16(made, 18, size - 54);
        set(20, 6);
        set(21, 64);
        set(22, 0xfd);
        set(38, 0xfd);
        set(37, 1);
        set(53, 2);
    } else {
        set(14, 0x45);
        put16(made, 16, size - 14);
        set(22, 64);
        set(23, 6);
        set(26, 10);
        set(29, 1);
        set(30, 10);
        set(33, 2);
        std::size_t sum = 0;
        for (std::size_t i = 14; i < 34; i += 2)
            sum += get(made, i, 2);
        sum = (sum & 0xffff) + (sum >> 16);
        put16(made, 24, ~(sum + (sum >> 16)) & 0xffff);
    }
    put16(made, tcp, 1000 + number);
    put16(made, tcp + 2, 2000);
    set(tcp + 12, 0x50);
    set(tcp + 13, 0x10);
    const auto addresses = ipv6 ? std::span{made}.subspan(22, 32) : std::span{made}.subspan(26, 8);
    put16(made, tcp + 16, pseudo_sum(addresses, size - tcp));
    return made;
}

void every_size(exchange& line) {
    for (std::size_t size = 60; size <= 1514; size += 1 + size % 7) {
        const auto data = make_frame(line.mac, size, 0x88b5, static_cast<std::uint32_t>(size));
        line.send(line.memory(data));
        line.expect(line.receive(), data);
    }
    // In several pieces, which the peer finds joined.
    const auto data = make_frame(line.mac, 1400, 0x88b5, 1);
    for (std::size_t pieces = 2; pieces <= 18; ++pieces) {
        packet frame;
        for (std::size_t i = 0; i < pieces; ++i)
            frame.append(line.memory({data.begin() + static_cast<std::ptrdiff_t>(1400 * i / pieces),
                                      data.begin() + static_cast<std::ptrdiff_t>(1400 * (i + 1) / pieces)}));
        line.send(std::move(frame));
        line.expect(line.receive(), data);
    }
}

/// From memory that came in, and from memory that is no domain's page.
void from_elsewhere(exchange& line) {
    const auto data = make_frame(line.mac, 1200, 0x88b5, 5);
    line.send(line.memory(data));
    packet came = line.receive();
    came.copy_in(0, data);
    const auto granted = line.nic.counters().granted;
    line.send(std::move(came));
    line.expect(line.receive(), data);
    HALVM_CHECK(line.nic.counters().granted == granted + 1);
}

/// Many at once, and back in their order.
void many(exchange& line) {
    constexpr std::uint32_t count = 3000;
    std::uint32_t sent = 0;
    for (std::uint32_t got = 0; got != count; ++got) {
        if (sent - got < 32) {
            std::array<packet, 32> batch;
            const std::size_t size = std::min<std::size_t>(batch.size(), count - sent);
            for (std::size_t i = 0; i < size; ++i, ++sent) {
                batch[i] = line.memory(make_frame(line.mac, 60 + sent % 1400, 0x88b5, sent));
                ++line.frames_sent;
                line.bytes_sent += batch[i].size();
            }
            HALVM_CHECK(line.nic.transmit(std::span{batch}.first(size), {}));
        }
        line.expect(line.receive(), make_frame(line.mac, 60 + got % 1400, 0x88b5, got));
    }
}

/// Checksums left to the other end, and segments joined, both ways.
void joined(exchange& line) {
    const std::array<std::size_t, 6> sizes{100, 1514, 1515, 9000, 30001, 65535};
    for (const bool ipv6 : {false, true})
        for (const std::size_t size : sizes) {
            const std::size_t headers = ipv6 ? 74 : 54;
            const auto data = make_tcp(line.mac, ipv6, size, static_cast<std::uint32_t>(size % 100));
            packet frame = line.memory(data);
            frame.metadata().checksum = packet_checksum::blank;
            frame.metadata().checksum_start = static_cast<std::uint16_t>(headers - 20);
            frame.metadata().checksum_at = 16;
            if (size > 1514) {
                frame.metadata().segmentation = ipv6 ? packet_segmentation::tcp_ipv6 : packet_segmentation::tcp_ipv4;
                frame.metadata().segment_size = 1400;
                frame.metadata().header_length = static_cast<std::uint16_t>(headers);
            }
            line.send(std::move(frame));
            const packet got = line.receive();
            line.expect(got, data);
            const packet_metadata& about = got.metadata();
            HALVM_CHECK(about.checksum == packet_checksum::blank);
            HALVM_CHECK(about.checksum_start == headers - 20);
            HALVM_CHECK(about.segment_size == (size > 1514 ? 1400 : 0));
        }
}

/// Flows by the queue that the hash says; those back, by the one that dom0 chooses.
void queues(exchange& line) {
    std::array<unsigned, 4> seen{};
    for (std::uint32_t flow = 0; flow < 64; ++flow) {
        const auto data = make_tcp(line.mac, false, 500, flow);
        packet frame = line.memory(data);
        frame.metadata().checksum = packet_checksum::blank;
        frame.metadata().checksum_start = 34;
        frame.metadata().checksum_at = 16;
        frame.metadata().flow_hash = flow;
        line.send(std::move(frame));
        const packet got = line.receive();
        line.expect(got, data);
        ++seen[got.metadata().queue];
    }
    std::printf("frames came through the queues: %u %u %u %u\n", seen[0], seen[1], seen[2], seen[3]);
    HALVM_CHECK(std::ranges::count(seen, 0U) <= 2);
}

/// Sends one frame to a group, from another interface, and another to this one: whether the first is heard here.
bool hears(xen::netfront& nic, xen::netfront& from, const mac_address& group) {
    std::size_t size = 60;
    for (const mac_address& to : {group, nic.info().mac}) {
        auto data = make_frame(from.info().mac, size++, 0x88b5, 0);
        std::ranges::transform(to.octets(), data.begin(), [](std::uint8_t one) { return std::byte{one}; });
        packet frame = from.allocate(data.size()).value();
        frame.copy_in(0, data);
        HALVM_CHECK(transmit(from, std::move(frame)));
    }
    // dom0 says something, too.
    for (bool heard = false;;) {
        std::array<packet, 1> one;
        if (nic.receive(one, {}).value() == 0)
            continue;
        std::array<std::byte, 12> addresses;
        one[0].copy_out(0, addresses);
        if (!std::ranges::equal(std::span{addresses}.subspan(6), from.info().mac.octets(), {}, {},
                                [](std::uint8_t octet) { return std::byte{octet}; }))
            continue;
        if (one[0].size() == 61)
            return heard;
        heard = true;
    }
}

/// Frames for a group come while it is joined, and no others.
void groups(xen::netfront& nic) {
    HALVM_CHECK(nic.features().multicast_control);
    auto from = xen::open_nic("1").value();
    const mac_address group{{1, 0, 0x5e, 0, 0, 9}};
    const mac_address other{{0x33, 0x33, 0, 0, 0, 9}};
    HALVM_CHECK(!hears(nic, from, group));
    HALVM_CHECK(nic.join(group));
    HALVM_CHECK(hears(nic, from, group));
    HALVM_CHECK(!hears(nic, from, other));
    HALVM_CHECK(nic.join(other));
    HALVM_CHECK(hears(nic, from, other));
    HALVM_CHECK(nic.leave(group));
    HALVM_CHECK(!hears(nic, from, group));
    HALVM_CHECK(hears(nic, from, mac_address::broadcast()));
}

void say(const xen::netfront& nic) {
    const auto counted = nic.statistics();
    const auto& more = nic.counters();
    std::printf(
        "sent %lu, %lu bytes, lost %lu; received %lu, %lu bytes, lost %lu; %lu notifications, %lu copied, "
        "%lu granted\n",
        counted.transmitted.packets, counted.transmitted.bytes, counted.transmitted.lost(), counted.received.packets,
        counted.received.bytes, counted.received.lost(), more.notifications, more.copied, more.granted);
    HALVM_CHECK(counted.transmitted.lost() == 0);
}

void run(const xen::netfront_options& options, bool all) {
    auto nic = xen::open_nic("00:16:3e:00:88:01", options).value();
    const auto info = nic.info();
    const auto& agreed = nic.features();
    std::printf("%s: mtu %u, %u queues, sg %d, split %d, checksums %d %d, joined %u %u\n",
                std::string{std::string_view{info.mac.to_text()}}.c_str(), info.mtu, info.queues, agreed.scatter_gather,
                agreed.split_channels, info.transmit.checksum_ipv4, info.transmit.checksum_ipv6,
                info.transmit.longest_tcp_ipv4, info.transmit.longest_tcp_ipv6);
    HALVM_CHECK(info.link_up);
    HALVM_CHECK(info.mtu == 1500);
    HALVM_CHECK(info.transmit.longest_tcp_ipv6 == 65535);
    exchange line{nic};
    every_size(line);
    from_elsewhere(line);
    if (all) {
        HALVM_CHECK(info.queues == 4);
        HALVM_CHECK(agreed.split_channels);
        many(line);
        joined(line);
        queues(line);
    }
    if (options.multicast_control)
        groups(nic);
    line.compare_counts();
    say(nic);
}

}  // namespace

int halvm_main() {
    auto& grants = xen::grants();
    const auto at_first = grants.statistics().in_use;
    const auto there = xen::nics().value();
    HALVM_CHECK(there.size() == 2 && there[0].number == "0");
    const auto none = xen::open_nic("7");
    HALVM_CHECK(!none && none.error().code() == std::errc::no_such_device);
    if (!none)
        std::puts(none.error().message().c_str());
    run({.queues = 4}, true);
    // A second time, as a back end finds it that was left.
    run({.split_channels = false, .multicast_control = true}, false);
    HALVM_CHECK(grants.collect() == 0);
    HALVM_CHECK(grants.statistics().in_use == at_first);
    HALVM_CHECK(grants.statistics().parked_pages == 0);
    return report::verdict("net_frames");
}
