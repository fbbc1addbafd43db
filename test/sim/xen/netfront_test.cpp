// SPDX-License-Identifier: BSD-3-Clause
// The network front end against simulated back ends that obey, stall, lie, die and come back.
#include "net_world.hpp"
#include "nic_conformance.hpp"

#include <halvm/xen/nic_names.hpp>

#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace {

using namespace halvm;
using namespace std::chrono_literals;
using sim::code_of;
using sim::net_world;
using sim::sim_netback;
using sim::sim_netfront;
using sim::wire_frame;

static_assert(NIC<sim_netfront>);

/// What must be true when a front end has gone and its back end too.
void check_nothing_left(sim_netback& nic, std::size_t pages_before = 0) {
    nic.detach();
    auto& grants = nic.guest.grants;
    CHECK(grants.collect() == 0);
    CHECK(grants.statistics().in_use == 0);
    CHECK(grants.statistics().parked_pages == 0);
    CHECK(nic.world.back_grants.statistics().mapped == 0);
    CHECK(nic.guest.world.channels.in_use() == 1);  // the XenStore's
    if (pages_before != 0)
        CHECK(nic.guest.world.domain.pages_in_use() == pages_before);
}

std::vector<std::byte> pattern(std::size_t size, std::uint32_t number = 0) {
    return test::frame_bytes(mac_address::broadcast(), mac_address{}, size, number);
}

/// Lets everybody do what there is to do.
void pause(net_world& world) { fiber::sleep(fiber::wait_limit{world.host.now() + 1'000'000}); }

packet received(sim_netfront& nic) {
    for (;;) {
        std::array<packet, 1> one;
        if (nic.receive(one, {}).value() == 1)
            return std::move(one[0]);
    }
}

/// A frame of TCP or UDP over IPv4 or IPv6, with a blank checksum.
std::vector<std::byte> transport_frame(bool ipv6, bool tcp, std::size_t payload) {
    const std::size_t ip = ipv6 ? 40 : 20;
    const std::size_t header = tcp ? 20 : 8;
    std::vector<std::byte> made(14 + ip + header + payload);
    const auto set = [&](std::size_t at, unsigned value) { made[at] = static_cast<std::byte>(value); };
    set(12, ipv6 ? 0x86 : 0x08);
    set(13, ipv6 ? 0xdd : 0x00);
    set(14, ipv6 ? 0x60 : 0x45);
    set(ipv6 ? 20 : 23, tcp ? 6 : 17);
    if (tcp)
        set(14 + ip + 12, 0x50);
    for (std::size_t i = 0; i < payload; ++i)
        set(14 + ip + header + i, static_cast<unsigned>(i * 7 % 256));
    return made;
}

TEST_CASE("netfront: two of them on a wire are NICs, with back ends of every kind") {
    for (const bool full : {true, false})
        for (const std::uint32_t queues : {1U, 3U}) {
            CAPTURE(full);
            CAPTURE(queues);
            net_world world;
            sim_netback left{world, world.left};
            sim_netback right{world, world.right, "3", "00:16:3e:00:00:02"};
            for (auto* one : {&left, &right}) {
                if (!full)
                    one->behave.offers = {{"feature-rx-copy", "1"}};
                if (queues != 1)
                    one->behave.offers["multi-queue-max-queues"] = std::to_string(queues);
                one->attach();
            }
            sim::join(left, right);
            const std::size_t before = world.guest.domain.pages_in_use();
            {
                // A small one, whose memory comes round often.
                auto one = left.open({.queues = queues}).value();
                auto other = right.open({.queues = queues, .receive_pages = 40, .receive_ring = 32}).value();
                CHECK(one.info().queues == queues);
                CHECK(one.features().split_channels == full);
                CHECK(one.features().scatter_gather == full);
                CHECK(one.info().transmit.longest_tcp_ipv4 == (full ? 65535 : 0));
                CHECK(one.info().transmit.checksum_ipv4);
                CHECK(one.info().transmit.checksum_ipv6 == full);
                test::check_nics(one, other);
                test::check_offloads(one, other);
                test::check_offloads(other, one);
            }
            check_nothing_left(left, before);
            check_nothing_left(right);
        }
}

TEST_CASE("netfront: one with the default rings takes 2 MiB of memory at most") {
    net_world world;
    sim_netback back{world, world.left};
    back.attach();
    const std::size_t before = world.guest.domain.pages_in_use();
    auto nic = back.open().value();
    const std::size_t pages = world.guest.domain.pages_in_use() - before;
    const xen::netfront_options options;
    const std::size_t storages = options.receive_pages + 256 + options.transmit_pages + options.transmit_halves;
    const std::size_t account = storages * (sizeof(packet_storage) + 2 * sizeof(detail::packet_node));
    const std::size_t stacks = (2 + 2) * (std::size_t{16} << 10);
    CHECK(pages * xen::page_size + account + stacks + 2 * 256 * 64 <= std::size_t{2} << 20);
}

TEST_CASE("netfront: a frame goes out from where it lies, short ones from elsewhere as a copy, others granted") {
    for (const bool trusted : {true, false}) {
        CAPTURE(trusted);
        net_world world;
        sim_netback back{world, world.left};
        back.attach();
        if (!trusted)
            world.daemon.write(back.front + "/trusted", "0");
        {
            auto nic = back.open().value();
            CHECK(nic.features().trusted == trusted);
            const auto granted = world.left.grants.statistics().in_use;
            test::send(nic, test::make_packet(nic, pattern(1400)));
            CHECK(nic.counters().granted == 0);
            CHECK(nic.counters().copied == 0);

            // What came in lies in pages that the back end sees no more.
            for (const std::size_t size : {std::size_t{1000}, std::size_t{100}}) {
                back.give({.data = pattern(size)});
                packet echo = received(nic);
                test::send(nic, std::move(echo));
            }
            CHECK(nic.counters().granted == (trusted ? 1 : 0));
            CHECK(nic.counters().copied == (trusted ? 1 : 2));
            // Nor could memory of the program's own be granted.
            auto pool = packet_pool::make({.large = 2048, .large_count = 4}).value();
            packet foreign = pool.allocate(1400, 0).value();
            foreign.copy_in(0, pattern(1400));
            test::send(nic, std::move(foreign));
            pause(world);
            REQUIRE(back.sent.size() == 4);
            CHECK(back.sent[0].data == pattern(1400));
            CHECK(back.sent[1].data == pattern(1000));
            CHECK(back.sent[2].data == pattern(100));
            CHECK(back.sent[3].data == pattern(1400));
            std::array<packet, 1> none;
            std::stop_source stop;
            stop.request_stop();
            CHECK(nic.receive(none, stop.get_token()).error().code() == std::errc::operation_canceled);
            CHECK(world.left.grants.statistics().in_use == granted);
        }
        check_nothing_left(back);
    }
}

TEST_CASE("netfront: the first part of what is sent has all headers") {
    net_world world;
    sim_netback back{world, world.left};
    back.attach();
    {
        auto nic = back.open().value();
        for (const bool ipv6 : {false, true})
            for (const std::size_t payload : {std::size_t{300}, std::size_t{9000}}) {
                const auto data = transport_frame(ipv6, true, payload);
                packet frame = test::make_packet(nic, data, 10);
                frame.metadata() = {
                    .checksum_start = static_cast<std::uint16_t>(ipv6 ? 54 : 34),
                    .checksum_at = 16,
                    .segment_size = 1000,
                    .header_length = static_cast<std::uint16_t>(ipv6 ? 74 : 54),
                    .checksum = packet_checksum::blank,
                    .segmentation = ipv6 ? packet_segmentation::tcp_ipv6 : packet_segmentation::tcp_ipv4};
                test::send(nic, std::move(frame));
                pause(world);
                const wire_frame& got = back.sent.back();
                CHECK(got.data == data);
                CHECK(got.first_part >= std::size_t{ipv6 ? 74U : 54U});
                CHECK(got.blank);
                CHECK(got.gso_size == 1000);
                CHECK(got.gso_type == (ipv6 ? XEN_NETIF_GSO_TYPE_TCPV6 : XEN_NETIF_GSO_TYPE_TCPV4));
            }
        CHECK(back.sent.size() == 4);
    }
    check_nothing_left(back);
}

TEST_CASE("netfront: what a back end leaves undone is said of the frame, of every kind and size") {
    net_world world;
    sim_netback back{world, world.left};
    back.behave.offset = 256;
    back.attach();
    {
        auto nic = back.open().value();
        for (const bool ipv6 : {false, true})
            for (const bool tcp : {false, true})
                for (const std::size_t payload : {0U, 100U, 1400U, 5000U, 60000U}) {
                    CAPTURE(payload);
                    const auto data = transport_frame(ipv6, tcp, payload);
                    const bool joined = tcp && payload > 1400;
                    wire_frame frame{.data = data, .blank = true};
                    if (joined) {
                        frame.gso_type = ipv6 ? XEN_NETIF_GSO_TYPE_TCPV6 : XEN_NETIF_GSO_TYPE_TCPV4;
                        frame.gso_size = 1000;
                    }
                    back.give(frame);
                    const packet got = received(nic);
                    CHECK(test::contents(got) == data);
                    const auto& about = got.metadata();
                    CHECK(about.checksum == packet_checksum::blank);
                    CHECK(about.checksum_start == (ipv6 ? 54 : 34));
                    CHECK(about.checksum_at == (tcp ? 16 : 6));
                    CHECK(about.segment_size == (joined ? 1000 : 0));
                    CHECK(about.header_length == (joined ? (ipv6 ? 74 : 54) : 0));
                }
        back.give({.data = pattern(500), .validated = true});
        CHECK(received(nic).metadata().checksum == packet_checksum::verified);
        // Blank, of what has none.
        back.give({.data = pattern(500), .blank = true});
        back.give({.data = pattern(10)});
        back.give({.data = pattern(501)});
        CHECK(received(nic).size() == 501);
        CHECK(nic.statistics().received.lost(frame_loss::bad_offload) == 1);
        CHECK(nic.statistics().received.lost(frame_loss::too_short) == 1);
    }
    check_nothing_left(back);
}

TEST_CASE("netfront: a page that went up is not the back end's any more, and its next life begins empty") {
    net_world world;
    sim_netback back{world, world.left};
    back.attach();
    {
        auto nic = back.open({.receive_pages = 20, .receive_ring = 4}).value();
        const auto before = world.left.grants.statistics().in_use;
        back.give({.data = pattern(3000, 7)});
        {
            packet held = received(nic);
            CHECK(world.left.grants.statistics().in_use == before);
            std::ranges::fill(held.front(), std::byte{0xa5});
        }
        // None of what the program wrote is seen in any page that the back end is given.
        for (int i = 0; i < 40; ++i) {
            back.behave.forge_frame = [](netif_rx_response_t& slot) { slot.status = 4000; };
            back.give({.data = pattern(300)});
            const auto all = test::contents(received(nic));
            REQUIRE(all.size() == 4000);
            CHECK(std::ranges::count(all, std::byte{0xa5}) < 100);
        }
    }
    check_nothing_left(back);
}

TEST_CASE("netfront: pages that a back end keeps are lost to both until it lets go") {
    net_world world;
    sim_netback back{world, world.left};
    back.attach();
    {
        auto nic = back.open().value();
        back.behave.keeps_received = back.behave.keeps_sent = true;
        back.give({.data = pattern(1000, 1)});
        back.give({.data = pattern(100, 2)});
        CHECK(test::contents(received(nic)) == pattern(100, 2));
        CHECK(nic.statistics().received.lost(frame_loss::device_error) == 1);
        CHECK(world.left.grants.statistics().parked == 1);
        // Sent from memory that it was granted, and kept.
        back.behave.keeps_received = false;
        back.give({.data = pattern(1001, 3)});
        test::send(nic, received(nic));
        pause(world);
        CHECK(nic.counters().granted == 1);
        CHECK(world.left.grants.statistics().parked == 2);
    }
    check_nothing_left(back);
}

TEST_CASE("netfront: a batch is told to the back end once, and many frames to us seldom") {
    net_world world;
    sim_netback back{world, world.left};
    back.attach();
    {
        auto nic = back.open().value();
        pause(world);
        const auto before = nic.counters().notifications;
        std::array<packet, 50> batch;
        for (packet& one : batch)
            one = test::make_packet(nic, pattern(60));
        REQUIRE(nic.transmit(batch, {}));
        CHECK(nic.counters().notifications == before + 1);
        pause(world);
        CHECK(back.sent.size() == 50);
        for (int i = 0; i < 64; ++i)
            back.give({.data = pattern(60)});
        std::array<packet, 64> got;
        CHECK(nic.receive(got, {}).value() == 64);
        CHECK(nic.counters().notifications <= before + 2);
    }
    check_nothing_left(back);
}

TEST_CASE("netfront: a sender waits while the back end answers nothing") {
    net_world world;
    sim_netback back{world, world.left};
    back.attach();
    {
        auto nic = back.open().value();
        back.behave.answers = false;
        std::size_t taken = 0;
        for (;; ++taken) {
            auto room = nic.allocate(60);
            if (!room)
                break;
            room->copy_in(0, pattern(60));
            if (nic.try_transmit({&*room, 1}) == 0)
                break;
        }
        CHECK(taken >= 100);
        std::stop_source stop;
        bool sent = false;
        auto sender = fiber::spawn([&] {
            // More than one, since what was refused above has given its memory back.
            auto pool = packet_pool::make({.large_count = 4}).value();
            std::array<packet, 4> frames;
            for (packet& one : frames)
                one = pool.allocate(60).value();
            sent = nic.transmit(frames, stop.get_token()).has_value();
        });
        pause(world);
        CHECK(!sent);
        back.answer_again();
        sender.join();
        CHECK(sent);
        CHECK(back.sent.size() >= taken);
    }
    check_nothing_left(back);
}

TEST_CASE("netfront: who sends joined segments waits for room, and then finds memory for the next") {
    net_world world;
    sim_netback back{world, world.left};
    back.attach();
    {
        auto nic = back.open().value();
        back.behave.answers = false;
        std::size_t sent = 0;
        auto sender = fiber::spawn([&] {
            for (; sent != 20; ++sent) {
                auto frame = nic.allocate(60'000);
                REQUIRE(frame);
                frame->copy_in(0, transport_frame(false, true, 1000));
                frame->metadata() = {.checksum_start = 34,
                                     .checksum_at = 16,
                                     .segment_size = 1000,
                                     .header_length = 54,
                                     .checksum = packet_checksum::blank,
                                     .segmentation = packet_segmentation::tcp_ipv4};
                REQUIRE(nic.transmit({&*frame, 1}, {}));
            }
        });
        pause(world);
        CHECK(sent >= 2);
        CHECK(sent < 20);
        back.answer_again();
        sender.join();
        pause(world);
        CHECK(back.sent.size() == 20);
    }
    check_nothing_left(back);
}

TEST_CASE("netfront: frames too short or too long are counted and lost, both ways") {
    net_world world;
    sim_netback back{world, world.left};
    back.attach();
    {
        auto nic = back.open().value();
        for (const std::size_t size : {13U, 14U, 1514U, 1515U})
            test::send(nic, test::make_packet(nic, pattern(size)));
        // A tag is no payload.
        auto tagged = pattern(1518);
        tagged[12] = std::byte{0x81};
        tagged[13] = std::byte{0};
        test::send(nic, test::make_packet(nic, tagged));
        pause(world);
        std::vector<std::size_t> sizes;
        for (const wire_frame& one : back.sent)
            sizes.push_back(one.data.size());
        CHECK(sizes == std::vector<std::size_t>{14, 1514, 1518});
        CHECK(nic.statistics().transmitted.lost(frame_loss::too_short) == 1);
        CHECK(nic.statistics().transmitted.lost(frame_loss::too_long) == 1);

        // One that is longer than the mtu comes in: who sent it may be allowed more.
        for (const std::size_t size : {0U, 1U, 13U, 14U, 4000U, 65535U + 18U, 65535U + 19U, 60U})
            back.give({.data = pattern(size)});
        sizes.clear();
        for (int i = 0; i < 4; ++i)
            sizes.push_back(received(nic).size());
        CHECK(sizes == std::vector<std::size_t>{14, 4000, 65535 + 18, 60});
        CHECK(nic.statistics().received.lost(frame_loss::too_short) == 3);
        CHECK(nic.statistics().received.lost(frame_loss::too_long) == 1);
    }
    check_nothing_left(back);
}

TEST_CASE("netfront: checksums and segments of IPv6 are left to a back end that says so, and to us if we do") {
    for (const bool can : {true, false}) {
        CAPTURE(can);
        net_world world;
        sim_netback back{world, world.left};
        back.behave.offers["feature-ipv6-csum-offload"] = can ? "1" : "0";
        back.attach();
        {
            auto nic = back.open({.receive_blank = can, .receive_joined = can}).value();
            CHECK(nic.info().transmit.checksum_ipv4);
            CHECK(nic.info().transmit.checksum_ipv6 == can);
            CHECK(nic.info().transmit.longest_tcp_ipv4 == 65535);
            CHECK(nic.info().transmit.longest_tcp_ipv6 == (can ? 65535 : 0));
            const auto said = [&](const char* name) {
                return world.back_store->read_number<unsigned>(back.front + "/" + name).value_or(2);
            };
            CHECK(said("feature-ipv6-csum-offload") == (can ? 1 : 0));
            CHECK(said("feature-no-csum-offload") == (can ? 0 : 1));
            CHECK(said("feature-gso-tcpv6") == (can ? 1 : 0));
            for (const bool joined : {false, true}) {
                const auto data = transport_frame(true, true, joined ? 4000 : 400);
                packet frame = test::make_packet(nic, data);
                frame.metadata() = {.checksum_start = 54, .checksum_at = 16, .checksum = packet_checksum::blank};
                if (joined) {
                    frame.metadata().segmentation = packet_segmentation::tcp_ipv6;
                    frame.metadata().segment_size = 1000;
                    frame.metadata().header_length = 74;
                }
                test::send(nic, std::move(frame));
                back.give({.data = data,
                           .blank = true,
                           .gso_type = joined ? std::uint8_t{XEN_NETIF_GSO_TYPE_TCPV6} : std::uint8_t{0},
                           .gso_size = static_cast<std::uint16_t>(joined ? 1000 : 0)});
            }
            back.give({.data = pattern(99)});
            for (std::size_t before_last = can ? 2 : 0; before_last != 0; --before_last)
                CHECK(received(nic).metadata().checksum == packet_checksum::blank);
            CHECK(received(nic).size() == 99);
            pause(world);
            CHECK(back.sent.size() == (can ? 2 : 0));
            CHECK(nic.statistics().transmitted.lost(frame_loss::bad_offload) == (can ? 0 : 2));
            CHECK(nic.statistics().received.lost(frame_loss::bad_offload) == (can ? 0 : 2));
        }
        check_nothing_left(back);
    }
}

TEST_CASE("netfront: IPv6 behind a tag and behind extension headers is understood, and a fragment is not") {
    net_world world;
    sim_netback back{world, world.left};
    back.attach();
    {
        auto nic = back.open().value();
        // Hop-by-hop options of 8 bytes, then destination options of 16.
        auto extended = transport_frame(true, true, 300);
        const std::array<std::byte, 24> options{std::byte{60}, {}, {}, {}, {}, {}, {}, {}, std::byte{6}, std::byte{1}};
        extended.insert(extended.begin() + 54, options.begin(), options.end());
        extended[20] = std::byte{0};
        auto tagged = transport_frame(true, false, 300);
        const std::array tag{std::byte{0x81}, std::byte{0}, std::byte{0}, std::byte{7}};
        tagged.insert(tagged.begin() + 12, tag.begin(), tag.end());
        auto fragment = extended;
        fragment[20] = std::byte{44};
        for (const auto& data : {extended, tagged, fragment})
            back.give({.data = data, .blank = true});
        back.give({.data = pattern(60)});
        CHECK(received(nic).metadata().checksum_start == 54 + 24);
        CHECK(received(nic).metadata().checksum_start == 54 + 4);
        CHECK(received(nic).size() == 60);
        CHECK(nic.statistics().received.lost(frame_loss::bad_offload) == 1);
    }
    check_nothing_left(back);
}

TEST_CASE("netfront: features that change while it is connected are those of the next connection") {
    net_world world;
    sim_netback back{world, world.left};
    back.behave.offers["multi-queue-max-queues"] = "2";
    back.attach();
    {
        auto nic = back.open({.queues = 2}).value();
        const nic_info before = nic.info();
        for (auto& [name, value] : back.behave.offers)
            value = "0";
        back.behave.offers["feature-rx-copy"] = "1";
        back.behave.offers["multi-queue-max-queues"] = "7";
        for (const auto& [name, value] : back.behave.offers)
            world.daemon.write(back.back + "/" + name, value);
        world.daemon.write(back.front + "/mtu", "900");
        world.daemon.write(back.back + "/state", "4");
        pause(world);
        CHECK(nic.info() == before);
        test::send(nic, test::make_packet(nic, pattern(1500)));
        back.give({.data = pattern(9000)});
        CHECK(received(nic).size() == 9000);

        back.ask_to_close();
        std::array<packet, 1> some;
        while (nic.counters().reconnects == 0)
            CHECK(nic.receive(some, {}).value() == 0);
        CHECK(nic.info().link_up);
        CHECK(nic.info().mtu == 900);
        CHECK(nic.info().transmit.longest_tcp_ipv4 == 0);
        CHECK(!nic.info().transmit.checksum_ipv6);
        CHECK(!nic.features().split_channels);
        // The memory is for two.
        CHECK(nic.info().queues == 2);
        // One that copies no more is none that can be used.
        back.behave.offers["feature-rx-copy"] = "0";
        back.ask_to_close();
        std::error_code why;
        while (!why)
            why = code_of(nic.receive(some, {}));
        CHECK(why == std::errc::bad_message);
    }
    check_nothing_left(back);
}

TEST_CASE("netfront: signals for nothing are listened to ever more seldom") {
    for (const bool split : {true, false}) {
        CAPTURE(split);
        net_world world;
        sim_netback back{world, world.left};
        back.attach();
        {
            auto nic = back.open({.split_channels = split}).value();
            pause(world);
            bool heard = false;
            auto receiver = fiber::spawn([&] {
                CHECK(received(nic).size() == 100);
                heard = true;
            });
            for (int i = 0; i < 10'000; ++i) {
                back.notify();
                fiber::sleep(fiber::wait_limit{world.host.now() + 50'000});
            }
            // What is for something is heard, when the pause is over.
            const auto begin = world.host.now();
            back.give({.data = pattern(100)});
            fiber::sleep(fiber::wait_limit{begin + 10'000'000});
            CHECK(!heard);
            receiver.join();
            CHECK(world.host.now() - begin <= 1'100'000'000u);
        }
        check_nothing_left(back);
    }
}

TEST_CASE("netfront: taken away while it connects, nothing is left") {
    // In each state that the handshake waits in.
    for (const bool offers : {false, true}) {
        CAPTURE(offers);
        net_world world;
        sim_netback back{world, world.left};
        back.behave.connects = false;
        const std::size_t before = world.guest.domain.pages_in_use();
        back.attach();
        if (!offers) {
            back.stop();
            world.daemon.write(back.back + "/state", "1");
        }
        auto opening = fiber::spawn([&] { return code_of(back.open()); });
        pause(world);
        back.detach();
        CHECK(opening.join() == std::errc::no_such_device);
        check_nothing_left(back, before);
    }
}

TEST_CASE("netfront: names, and what there is not") {
    net_world world;
    CHECK(code_of(xen::find_nic(world.left.store, "0")) == std::errc::no_such_device);
    sim_netback first{world, world.left, "0", "00:16:3e:00:00:01"};
    sim_netback second{world, world.left, "1", "00:16:3e:00:00:02"};
    first.attach();
    second.attach();
    CHECK(xen::find_nic(world.left.store, "1").value() == "1");
    CHECK(xen::find_nic(world.left.store, "eth0").value() == "0");
    CHECK(xen::find_nic(world.left.store, "00:16:3E:00:00:02").value() == "1");
    CHECK(code_of(xen::find_nic(world.left.store, "00:16:3e:zz:00:02")) == address_errc::bad_character);
    const auto none = xen::find_nic(world.left.store, "7");
    REQUIRE_FALSE(none);
    CHECK(none.error().code() == std::errc::no_such_device);
    CHECK(none.error().message().find("0=00:16:3e:00:00:01 1=00:16:3e:00:00:02") != std::string::npos);
}

TEST_CASE("netfront: a back end that never connects is an error that names its state and path") {
    net_world world;
    sim_netback back{world, world.left};
    CHECK(code_of(back.open()) == std::errc::no_such_device);
    back.behave.connects = false;
    back.attach();
    const std::size_t before = world.guest.domain.pages_in_use();
    const auto opened = back.open({.patience = 5s});
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code() == std::errc::timed_out);
    CHECK(opened.error().message().find("which waits for us") != std::string::npos);
    CHECK(opened.error().message().find("backend/vif/1/0") != std::string::npos);
    check_nothing_left(back, before);
}

TEST_CASE("netfront: what is no interface is refused") {
    struct wrong {
        const char* offer;
        const char* value;
        std::error_code code;
    };
    for (const auto& [offer, value, code] :
         {wrong{"feature-rx-copy", "0", std::make_error_code(std::errc::bad_message)},
          wrong{"feature-sg", "yes", std::make_error_code(std::errc::bad_message)},
          wrong{"mac", "00:16:3e", address_errc::bad_count},
          wrong{"mac", "01:00:5e:00:00:01", std::make_error_code(std::errc::bad_message)},
          wrong{"mtu", "67", std::make_error_code(std::errc::bad_message)}}) {
        CAPTURE(offer);
        net_world world;
        sim_netback back{world, world.left};
        const bool ours = std::string{offer}.find('-') == std::string::npos;
        if (!ours)
            back.behave.offers[offer] = value;
        back.attach();
        if (ours)
            world.daemon.write(back.front + "/" + offer, value);
        CHECK(code_of(back.open()) == code);
        check_nothing_left(back);
    }
}

TEST_CASE("netfront: jumbo frames, as the toolstack allows them") {
    net_world world;
    sim_netback back{world, world.left};
    back.attach();
    world.daemon.write(back.front + "/mtu", "9000");
    {
        auto nic = back.open().value();
        CHECK(nic.info().mtu == 9000);
        test::send(nic, test::make_packet(nic, pattern(9014)));
        back.give({.data = pattern(9014)});
        CHECK(test::contents(received(nic)) == pattern(9014));
        pause(world);
        REQUIRE(back.sent.size() == 1);
        CHECK(back.sent[0].data == pattern(9014));
    }
    check_nothing_left(back);
}

TEST_CASE("netfront: flows are spread over queues, and one receiver drains them all") {
    net_world world;
    sim_netback back{world, world.left};
    back.behave.offers["multi-queue-max-queues"] = "4";
    back.attach();
    {
        auto nic = back.open({.queues = 8}).value();
        CHECK(nic.info().queues == 4);
        for (std::uint32_t flow = 0; flow < 8; ++flow) {
            packet frame = test::make_packet(nic, pattern(60, flow));
            frame.metadata().flow_hash = flow;
            test::send(nic, std::move(frame));
            back.give({.data = pattern(60, flow), .queue = flow});
        }
        std::array<unsigned, 4> seen{};
        for (int i = 0; i < 8; ++i)
            ++seen[received(nic).metadata().queue];
        CHECK(seen == std::array<unsigned, 4>{2, 2, 2, 2});
        pause(world);
        seen = {};
        for (const auto& one : back.sent)
            ++seen[one.queue];
        CHECK(seen == std::array<unsigned, 4>{2, 2, 2, 2});
    }
    check_nothing_left(back);
}

TEST_CASE("netfront: who opens an interface is not misled by who had it before") {
    net_world world;
    sim_netback back{world, world.left};
    back.behave.offers["multi-queue-max-queues"] = "4";
    back.attach();
    for (const xen::netfront_options& options :
         {xen::netfront_options{.queues = 4}, xen::netfront_options{.split_channels = false},
          xen::netfront_options{}}) {
        auto nic = back.open(options).value();
        CHECK(nic.info().queues == options.queues);
        test::send(nic, test::make_packet(nic, pattern(60)));
        back.give({.data = pattern(60)});
        CHECK(received(nic).size() == 60);
    }
    check_nothing_left(back);
}

TEST_CASE("netfront: groups are told to the back end, and again to the next one") {
    net_world world;
    sim_netback back{world, world.left};
    back.attach();
    {
        auto nic = back.open({.multicast_control = true}).value();
        const mac_address group{{1, 0, 0x5e, 0, 0, 1}};
        REQUIRE(nic.join(group));
        REQUIRE(nic.join(group));
        pause(world);
        REQUIRE(back.groups.size() == 1);
        CHECK(back.groups[0] == std::pair{true, std::vector<std::uint8_t>{1, 0, 0x5e, 0, 0, 1}});
        back.ask_to_close();
        fiber::sleep(fiber::wait_limit{world.host.now() + 1'000'000'000});
        CHECK(nic.counters().reconnects == 1);
        CHECK(back.groups.size() == 2);
        REQUIRE(nic.leave(group));
        pause(world);
        REQUIRE(back.groups.size() == 3);
        CHECK(!back.groups[2].first);
    }
    check_nothing_left(back);
}

TEST_CASE("netfront: a lying back end breaks its interface, and nothing else") {
    using forge = std::function<void(netif_rx_response_t&)>;
    const std::vector<forge> lies{
        [](auto& slot) { slot.id ^= 1; },
        [](auto& slot) { slot.id = 0xffff; },
        [](auto& slot) { slot.status = 4097; },
        [](auto& slot) { slot.offset = 4000; },
        [](auto& slot) { slot.offset = 0xffff; },
        [](auto& slot) { slot.flags |= NETRXF_more_data; },
        [](auto& slot) { slot.flags |= NETRXF_extra_info; },
    };
    for (std::size_t i = 0; i < lies.size(); ++i) {
        CAPTURE(i);
        net_world world;
        sim_netback back{world, world.left};
        back.attach();
        {
            auto nic = back.open().value();
            back.behave.forge_frame = lies[i];
            for (int frame = 0; frame < 40; ++frame)
                back.give({.data = pattern(1000)});
            std::error_code why;
            while (!why) {
                std::array<packet, 4> some;
                why = code_of(nic.receive(some, {}));
            }
            CHECK(why == std::errc::protocol_error);
            packet frame = test::make_packet(nic, pattern(100));
            CHECK(nic.try_transmit({&frame, 1}) == 0);
            CHECK(code_of(nic.transmit({&frame, 1}, {})) == std::errc::protocol_error);
        }
        check_nothing_left(back);
    }
    const std::vector<std::function<void(netif_tx_response_t&)>> answers{
        [](auto& slot) { slot.id ^= 1; },
        [](auto& slot) { slot.id = 0xffff; },
        [](auto& slot) { slot.status = NETIF_RSP_NULL; },
    };
    for (std::size_t i = 0; i < answers.size(); ++i) {
        CAPTURE(i);
        net_world world;
        sim_netback back{world, world.left};
        back.attach();
        {
            auto nic = back.open().value();
            back.behave.forge_answer = answers[i];
            test::send(nic, test::make_packet(nic, pattern(100)));
            std::array<packet, 4> some;
            CHECK(code_of(nic.receive(some, {})) == std::errc::protocol_error);
        }
        check_nothing_left(back);
    }
}

TEST_CASE("netfront: whatever a back end writes, the guest goes on and nothing is left") {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        CAPTURE(seed);
        net_world world{seed};
        sim_netback back{world, world.left};
        back.attach();
        {
            auto nic = back.open({.receive_pages = 40, .receive_ring = 32}).value();
            std::mt19937_64 random{seed};
            std::stop_source stopped;
            stopped.request_stop();
            const auto spoil = [&](auto& slot) {
                if (random() % 16 != 0)
                    return;
                std::array<std::byte, sizeof slot> raw{};
                std::memcpy(raw.data(), &slot, sizeof slot);
                raw[random() % raw.size()] ^= static_cast<std::byte>(1U << random() % 8);
                std::memcpy(&slot, raw.data(), sizeof slot);
            };
            back.behave.forge_frame = spoil;
            back.behave.forge_answer = spoil;
            back.behave.keeps_received = random() % 4 == 0;
            std::error_code why;
            for (int i = 0; i < 60 && !why; ++i) {
                const bool joined = random() % 4 == 0;
                wire_frame frame{.data = transport_frame(random() % 2 == 0, true, random() % 9000), .blank = joined};
                if (joined) {
                    frame.gso_type = static_cast<std::uint8_t>(1 + random() % 2);
                    frame.gso_size = 1000;
                }
                back.give(std::move(frame));
                packet out = test::make_packet(nic, pattern(60 + random() % 1400));
                static_cast<void>(nic.try_transmit({&out, 1}));
                std::array<packet, 4> some;
                fiber::sleep(fiber::wait_limit{world.host.now() + 10'000});
                why = code_of(nic.receive(some, stopped.get_token()));
                if (why == std::errc::operation_canceled)
                    why = {};
            }
        }
        check_nothing_left(back);
    }
}

TEST_CASE("netfront: a back end that died and came back is connected to again, and the link was down meanwhile") {
    net_world world;
    sim_netback back{world, world.left};
    back.attach();
    {
        auto nic = back.open().value();
        CHECK(nic.info().link_up);
        back.stop();
        back.start();
        std::array<packet, 1> some;
        CHECK(nic.receive(some, {}).value() == 0);
        while (nic.counters().reconnects == 0)
            CHECK(nic.receive(some, {}).value() == 0);
        CHECK(nic.info().link_up);
        test::send(nic, test::make_packet(nic, pattern(60)));
        back.give({.data = pattern(61)});
        CHECK(received(nic).size() == 61);
        pause(world);
        CHECK(back.sent.size() == 1);
    }
    check_nothing_left(back);
}

TEST_CASE("netfront: without a link frames are lost, and the carrier says when there is none") {
    net_world world;
    sim_netback back{world, world.left};
    back.attach();
    {
        auto nic = back.open().value();
        test::check_change(nic, [&] {
            world.daemon.write(back.back + "/carrier", "0");
            world.daemon.write(back.back + "/state", "4");
        });
        CHECK(!nic.info().link_up);
        test::send(nic, test::make_packet(nic, pattern(60)));
        CHECK(nic.statistics().transmitted.lost(frame_loss::no_link) == 1);
    }
    check_nothing_left(back);
}

TEST_CASE("netfront: one that is taken away fails what waits, and all that comes") {
    net_world world;
    sim_netback back{world, world.left};
    back.attach();
    {
        auto nic = back.open().value();
        auto receiver = fiber::spawn([&] {
            for (;;) {
                std::array<packet, 1> some;
                if (const auto got = nic.receive(some, {}); !got)
                    return got.error().code();
            }
        });
        pause(world);
        back.detach();
        CHECK(receiver.join() == std::errc::no_such_device);
        std::array<packet, 1> some;
        CHECK(code_of(nic.receive(some, {})) == std::errc::no_such_device);
    }
    check_nothing_left(back);
}

TEST_CASE("netfront: to destroy one ends what waits in it, and its packets stay good") {
    net_world world;
    sim_netback back{world, world.left};
    back.attach();
    const std::size_t before = world.guest.domain.pages_in_use();
    test::check_end(std::optional{back.open().value()}, false);
    check_nothing_left(back, before);
}

TEST_CASE("netfront: attached and taken away under load, again and again, with nothing left at the end") {
    net_world world;
    const std::size_t before = world.guest.domain.pages_in_use();
    for (unsigned round = 0; round < 12; ++round) {
        CAPTURE(round);
        sim_netback back{world, world.left};
        back.behave.offers["multi-queue-max-queues"] = "2";
        back.attach();
        std::vector<packet> kept;
        {
            auto nic = back.open({.queues = 2}).value();
            auto sender = fiber::spawn([&] {
                for (std::uint32_t i = 0;; ++i) {
                    // While there is no link nothing waits.
                    fiber::sleep(fiber::wait_limit{world.host.now() + 1000});
                    auto room = nic.allocate(1000);
                    if (!room)
                        continue;
                    room->copy_in(0, pattern(1000, i));
                    room->metadata().flow_hash = i;
                    if (!nic.transmit({&*room, 1}, {}))
                        return;
                }
            });
            auto receiver = fiber::spawn([&] {
                for (;;) {
                    std::array<packet, 8> some;
                    const auto got = nic.receive(some, {});
                    if (!got)
                        return;
                    fiber::sleep(fiber::wait_limit{world.host.now() + 1000});
                    for (std::size_t i = 0; i < *got; ++i)
                        back.give({.data = test::contents(some[i]), .queue = round});
                    if (*got != 0 && kept.size() < 5)
                        kept.push_back(std::move(some[0]));
                }
            });
            for (std::uint32_t i = 0; i < 20; ++i)
                back.give({.data = pattern(1000, i), .queue = i});
            fiber::sleep(fiber::wait_limit{world.host.now() + 100'000 * (round + 1)});
            if (round % 2 == 0)
                back.detach();
            else if (round % 4 == 1)
                back.stop();
            else
                back.ask_to_close();
            if (round % 2 != 0)
                back.detach();
            sender.join();
            receiver.join();
        }
        kept.clear();
        check_nothing_left(back, before);
    }
}

}  // namespace
