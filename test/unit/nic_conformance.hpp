// SPDX-License-Identifier: BSD-3-Clause
// What every NIC does, whatever is below it. [halvm/device/nic.hpp: Semantics]
// Two of them on one link are tested against each other; they may be of different kinds, and others may talk there too.
#pragma once

#include <halvm/fiber.hpp>
#include <halvm/net/offload.hpp>
#include <halvm/net/wire/ethernet.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <system_error>
#include <vector>

namespace halvm::test {

/// Of frames that are nobody's but the test's. [ieee802 table 1]
inline constexpr std::uint16_t own_type = 0x88b5;

inline std::vector<std::byte> contents(const packet& of) {
    std::vector<std::byte> all(of.size());
    of.copy_out(0, all);
    return all;
}

/// The bytes of frame `number` of `size` bytes.
inline std::vector<std::byte> frame_bytes(mac_address to, mac_address from, std::size_t size, std::uint32_t number) {
    std::vector<std::byte> made(std::max<std::size_t>(size, 18));
    net::wire::store_mac(made, 0, to);
    net::wire::store_mac(made, 6, from);
    net::wire::store16(made, 12, own_type);
    net::wire::store32(made, 14, number);
    for (std::size_t i = 18; i < made.size(); ++i)
        made[i] = static_cast<std::byte>(i * 7 + (number * 0x9e37'79b1U >> 24) + i / 251);
    made.resize(size);
    return made;
}

template <NIC Device>
packet make_packet(Device& device, const std::vector<std::byte>& data) {
    auto made = device.allocate(data.size());
    REQUIRE(made);
    made->copy_in(0, data);
    return std::move(*made);
}

/// The same in so many pieces.
template <NIC Device>
packet make_packet(Device& device, const std::vector<std::byte>& data, std::size_t pieces) {
    packet whole;
    for (std::size_t i = 0; i < pieces; ++i) {
        const std::size_t begin = data.size() * i / pieces;
        const std::size_t end = data.size() * (i + 1) / pieces;
        whole.append(make_packet(device, {data.begin() + static_cast<std::ptrdiff_t>(begin),
                                          data.begin() + static_cast<std::ptrdiff_t>(end)}));
    }
    return whole;
}

template <NIC Device>
void send(Device& device, packet frame) {
    REQUIRE(transmit(device, std::move(frame)));
}

/// Waits for `count` frames of the given type and leaves out all others.
template <NIC Device>
std::vector<packet> receive_frames(Device& device, std::size_t count, std::uint16_t type = own_type) {
    std::vector<packet> ours;
    while (ours.size() < count) {
        std::array<packet, 16> some;
        const auto got =
            device.receive(std::span{some}.first(std::min<std::size_t>(some.size(), count - ours.size())), {});
        REQUIRE(got);
        for (packet& one : std::span{some}.first(*got))
            if (one.size() >= ethernet::header_size && ethernet::outline_of(one).type == type)
                ours.push_back(std::move(one));
    }
    return ours;
}

/// Frames of one direction: sizes, order, pieces, batches. Pre: an mtu of at least 576.
template <NIC From, NIC To>
void check_direction(From& from, To& to) {
    const nic_info info = from.info();
    const std::size_t longest = std::min(info.mtu, to.info().mtu) + ethernet::header_size;
    const auto bytes_of = [&](std::size_t size, std::uint32_t number) {
        return frame_bytes(to.info().mac, info.mac, size, number);
    };
    const nic_statistics before = from.statistics();
    const nic_statistics before_there = to.statistics();

    INFO("what is sent arrives, byte for byte, of every size");
    std::uint64_t sent = 0;
    for (const std::size_t size : {std::size_t{18}, std::size_t{42}, std::size_t{60}, std::size_t{61}, std::size_t{255},
                                   std::size_t{500}, longest - 1, longest}) {
        CAPTURE(size);
        send(from, make_packet(from, bytes_of(size, 1)));
        ++sent;
        const auto got = receive_frames(to, 1);
        CHECK(contents(got[0]) == bytes_of(size, 1));
        CHECK(got[0].metadata().queue < to.info().queues);
    }

    INFO("a frame may lie in as many pieces as info() says");
    for (std::size_t pieces = 2; pieces <= std::min<std::size_t>(info.most_pieces, 18); ++pieces) {
        CAPTURE(pieces);
        send(from, make_packet(from, bytes_of(500, 2), pieces));
        ++sent;
        CHECK(contents(receive_frames(to, 1)[0]) == bytes_of(500, 2));
    }

    INFO("headers are put in front without another piece, and data that is kept stays as it is");
    {
        const auto data = bytes_of(590, 3);
        packet payload = make_packet(from, {data.begin() + 54, data.end()});
        CHECK(payload.headroom() >= 54 + info.headroom);
        packet frame = from.allocate(0).value();
        frame.append(payload.clone().value());
        std::copy_n(data.begin(), 54, frame.prepend(54).value().begin());
        send(from, std::move(frame));
        ++sent;
        CHECK(contents(receive_frames(to, 1)[0]) == data);
        CHECK(contents(payload) == std::vector<std::byte>(data.begin() + 54, data.end()));
    }

    INFO("many frames arrive in their order, and the sender waits when there is no room");
    {
        constexpr std::uint32_t count = 1000;
        // No more at a time than any receiver's queue holds: nobody promises that more arrives.
        for (std::uint32_t next = 0; next != count;) {
            std::array<packet, 50> batch;
            for (std::uint32_t i = 0; i != batch.size(); ++i)
                batch[i] = make_packet(from, bytes_of(60 + (next + i) % 500, next + i));
            auto sender = fiber::spawn([&] { return from.transmit(batch, {}); });
            for (const std::uint32_t end = next + 50; next != end; ++next)
                REQUIRE(contents(receive_frames(to, 1)[0]) == bytes_of(60 + next % 500, next));
            REQUIRE(sender.join());
            REQUIRE(std::none_of(batch.begin(), batch.end(), [](const packet& one) { return bool{one}; }));
        }
        sent += count;
    }

    INFO("what cannot be sent is counted and dropped, and what is around it is sent");
    {
        std::array<packet, 6> batch{make_packet(from, bytes_of(100, 4)),           make_packet(from, bytes_of(13, 5)),
                                    make_packet(from, bytes_of(info.mtu + 15, 6)), make_packet(from, bytes_of(100, 7)),
                                    make_packet(from, bytes_of(100, 8)),           make_packet(from, bytes_of(100, 9))};
        batch[3].metadata() = {.checksum_start = 14, .checksum = packet_checksum::blank};
        batch[4].metadata() = {.checksum_start = 14,
                               .segment_size = 10,
                               .header_length = 20,
                               .checksum = packet_checksum::blank,
                               .segmentation = packet_segmentation::tcp_ipv6};
        REQUIRE(from.transmit(batch, {}));
        sent += 2;
        const auto got = receive_frames(to, 2);
        CHECK(contents(got[0]) == bytes_of(100, 4));
        CHECK(contents(got[1]) == bytes_of(100, 9));
        const auto lost = [&](frame_loss why) {
            return from.statistics().transmitted.lost(why) - before.transmitted.lost(why);
        };
        CHECK(lost(frame_loss::too_short) == 1);
        CHECK(lost(frame_loss::too_long) == 1);
        CHECK(lost(frame_loss::bad_offload) == 2);
        if (info.most_pieces < 100) {
            send(from, make_packet(from, bytes_of(500, 10), info.most_pieces + 1));
            CHECK(lost(frame_loss::too_many_pieces) == 1);
        }
    }

    INFO("the statistics tell of all of it");
    CHECK(from.statistics().transmitted.packets - before.transmitted.packets == sent);
    CHECK(to.statistics().received.packets - before_there.received.packets >= sent);
}

/// Memory, and the ends of waits, of a NIC on which nothing of the test's arrives meanwhile.
template <NIC Device>
void check_alone(Device& device) {
    INFO("memory is given until there is none, and given again after it came back");
    for (int round = 0; round < 2; ++round) {
        std::vector<packet> all;
        auto one = device.allocate(1000);
        for (; one; one = device.allocate(1000))
            all.push_back(std::move(*one));
        CHECK(one.error().code() == std::errc::not_enough_memory);
        CHECK(all.size() >= 16);
    }
    CHECK(device.allocate(9000).value().size() == 9000);

    INFO("nothing is sent of nothing");
    CHECK(device.try_transmit({}) == 0);
    CHECK(device.transmit({}, {}));

    INFO("a stop ends a wait, whether it was asked for before or comes later");
    const auto until_stopped = [&device](std::stop_token stop) {
        for (;;) {
            std::array<packet, 4> some;
            if (auto got = device.receive(some, stop); !got)
                return got.error().code();
        }
    };
    std::stop_source stop;
    auto waiting = fiber::spawn([&] { return until_stopped(stop.get_token()); });
    fiber::this_scheduler().yield();
    stop.request_stop();
    CHECK(waiting.join() == std::errc::operation_canceled);
    CHECK(until_stopped(stop.get_token()) == std::errc::operation_canceled);
}

template <NIC Left, NIC Right>
void check_nics(Left& left, Right& right) {
    check_alone(left);
    check_alone(right);
    check_direction(left, right);
    check_direction(right, left);

    INFO("of several receivers each frame reaches one");
    {
        constexpr std::uint32_t count = 60;
        std::multiset<std::uint32_t> seen;
        std::stop_source enough;
        const auto receive = [&] {
            for (;;) {
                std::array<packet, 4> some;
                const auto got = right.receive(some, enough.get_token());
                if (!got)
                    return;
                for (const packet& one : std::span{some}.first(*got))
                    if (ethernet::outline_of(one).type == own_type)
                        seen.insert(net::wire::load32(one.front(), 14));
                if (seen.size() == count)
                    enough.request_stop();
            }
        };
        auto first = fiber::spawn(receive);
        auto second = fiber::spawn(receive);
        for (std::uint32_t i = 0; i < count; ++i)
            send(left, make_packet(left, frame_bytes(right.info().mac, left.info().mac, 64, i)));
        first.join();
        second.join();
        CHECK(std::set<std::uint32_t>(seen.begin(), seen.end()).size() == count);
    }
}

/// Each receiver that waits when something changes, or the next one, hears of it once.
template <NIC Device>
void check_change(Device& device, const std::function<void()>& change) {
    const nic_info before = device.info();
    auto waiting = fiber::spawn([&] {
        std::array<packet, 4> some;
        for (;;)
            if (const auto got = device.receive(some, {}); !got || *got == 0)
                return got.has_value();
    });
    fiber::this_scheduler().yield();
    change();
    CHECK(waiting.join());
    CHECK(device.info() != before);
}

/// To destroy a NIC ends what waits in it. `fill` makes its transmit() wait, if that can be done.
template <NIC Device>
void check_end(std::optional<Device> device, bool sends_wait) {
    packet kept = make_packet(*device, std::vector<std::byte>(1000, std::byte{7}));
    Device& used = *device;
    auto receiver = fiber::spawn([&] {
        for (;;) {
            std::array<packet, 4> some;
            if (auto got = used.receive(some, {}); !got)
                return got.error().code();
        }
    });
    std::optional<fiber::handle<std::error_code>> sender;
    if (sends_wait)
        sender = fiber::spawn([&] {
            for (;;) {
                packet one = make_packet(used, frame_bytes({}, used.info().mac, 60, 1));
                if (auto done = used.transmit({&one, 1}, {}); !done)
                    return done.error().code();
            }
        });
    fiber::this_scheduler().yield();
    fiber::this_scheduler().yield();
    device.reset();
    CHECK(receiver.join() == std::errc::no_such_device);
    if (sender)
        CHECK(sender->join() == std::errc::no_such_device);
    CHECK(contents(kept) == std::vector<std::byte>(1000, std::byte{7}));
}

/// A frame of IPv4 and TCP, whose checksum is left to the device and which is to be sent in segments.
inline std::vector<std::byte> tcp_headers(mac_address to, mac_address from, std::size_t payload) {
    using namespace net::wire;
    std::vector<std::byte> made(54);
    ethernet_header{to, from, ethertype::ipv4}.write(made);
    const auto source = net::ipv4_address::from_bits(0x0a000001);
    const auto destination = net::ipv4_address::from_bits(0x0a000002);
    const bytes ip = bytes{made}.subspan(14, 20);
    store8(ip, 0, 0x45);
    store16(ip, ipv4_field::total_length, static_cast<std::uint16_t>(40 + payload));
    store16(ip, ipv4_field::identification, 0x1234);
    store8(ip, ipv4_field::ttl, 64);
    store8(ip, ipv4_field::protocol, 6);
    store_ipv4(ip, ipv4_field::source, source);
    store_ipv4(ip, ipv4_field::destination, destination);
    store16(ip, ipv4_field::checksum, net::checksum{ip}.value());
    const bytes tcp = bytes{made}.subspan(34);
    store16(tcp, tcp_field::source_port, 1000);
    store16(tcp, tcp_field::destination_port, 2000);
    store32(tcp, tcp_field::sequence, 0xffff'f000);
    store8(tcp, tcp_field::data_offset, 0x50);
    store8(tcp, tcp_field::flags, tcp_field::ack | tcp_field::psh | tcp_field::fin);
    store16(tcp, tcp_field::checksum,
            net::checksum::pseudo_header(source, destination, net::ip_protocol::tcp, 20 + payload).sum());
    return made;
}

/// What is left to the device reaches the other end whole: as it was, or carried out.
template <NIC From, NIC To>
void check_offloads(From& from, To& to) {
    using namespace net::wire;
    const nic_info info = from.info();
    const std::size_t mss = std::min(info.mtu, to.info().mtu) - 40;
    const auto round = [&](std::size_t size, bool segmented) {
        CAPTURE(size);
        std::vector<std::byte> payload(size);
        for (std::size_t i = 0; i < size; ++i)
            payload[i] = static_cast<std::byte>(i * 11 + i / 256);
        packet frame = from.allocate(0).value();
        frame.append(make_packet(from, payload));
        const auto headers = tcp_headers(to.info().mac, info.mac, size);
        std::ranges::copy(headers, frame.prepend(headers.size()).value().begin());
        frame.metadata().checksum = packet_checksum::blank;
        frame.metadata().checksum_start = 34;
        frame.metadata().checksum_at = tcp_field::checksum;
        if (segmented) {
            frame.metadata().segmentation = packet_segmentation::tcp_ipv4;
            frame.metadata().segment_size = static_cast<std::uint16_t>(mss);
            frame.metadata().header_length = 54;
        }
        send(from, std::move(frame));
        std::vector<std::byte> got(size);
        for (std::size_t at = 0; at != size;) {
            packet one = std::move(receive_frames(to, 1, ethernet::ipv4)[0]);
            const auto& about = one.metadata();
            CHECK(
                (about.segmentation == packet_segmentation::none || to.info().receive.longest_tcp_ipv4 >= one.size()));
            CHECK((about.checksum != packet_checksum::blank || to.info().receive.checksum_ipv4));
            CHECK((one.size() <= 54 + mss || about.segment_size == mss));
            REQUIRE(net::fill_in_checksum(one));
            const auto data = contents(one);
            const auto ip = ipv4_view::parse(const_bytes{data}.subspan(14));
            REQUIRE(ip);
            CHECK(ip->has_right_checksum());
            const auto tcp = tcp_view::parse(ip->payload());
            REQUIRE(tcp);
            CHECK(tcp->has_right_checksum(ip->source(), ip->destination()));
            const const_bytes part = tcp->payload();
            const std::uint32_t offset = load32(ip->payload(), tcp_field::sequence) - 0xffff'f000;
            REQUIRE(offset == at);
            REQUIRE(part.size() <= size - at);
            std::ranges::copy(part, got.begin() + static_cast<std::ptrdiff_t>(at));
            at += part.size();
            const auto flags = load8(ip->payload(), tcp_field::flags);
            CHECK(((flags & tcp_field::fin) != 0) == (at == size));
            CHECK(((flags & tcp_field::psh) != 0) == (at == size));
        }
        CHECK(got == payload);
    };
    if (info.transmit.checksum_ipv4)
        for (const std::size_t size : {std::size_t{1}, std::size_t{500}, std::size_t{501}, mss})
            round(size, false);
    if (const std::size_t longest = info.transmit.longest_tcp_ipv4; longest != 0)
        for (const std::size_t size : {mss + 1, 5 * mss, 5 * mss + 7, std::min<std::size_t>(longest, 65535) - 54})
            round(size, true);
}

}  // namespace halvm::test
