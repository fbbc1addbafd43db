// SPDX-License-Identifier: BSD-3-Clause
// NICs without a network: the cable, and what stands between a NIC and its user.
#include "fiber_world.hpp"
#include "nic_conformance.hpp"

#include <halvm/model/loopback.hpp>
#include <halvm/model/nic_faults.hpp>
#include <halvm/model/nic_tracer.hpp>
#include <halvm/model/replay_nic.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace halvm;
using namespace std::chrono_literals;
using model::loopback_nic;
using model::loopback_options;

auto make_cable(const loopback_options& options = {}) { return loopback_nic::make_pair(options).value(); }

TEST_CASE("cable: its ends are NICs, with a short queue and a long one") {
    test::fiber_world world;
    for (const std::size_t queue : {2U, 3U, 256U}) {
        auto [left, right] = make_cable({.queue = queue});
        const auto all = left.idle();
        test::check_nics(left, right);
        CHECK(left.idle() == all);
        CHECK(right.idle() == all);
    }
}

TEST_CASE("cable: jumbo frames, and short ones") {
    test::fiber_world world;
    for (const std::uint32_t mtu : {576U, 9000U}) {
        auto [left, right] = make_cable({.mtu = mtu});
        test::check_nics(left, right);
    }
}

TEST_CASE("cable: what is left to the device reaches the other end as it was, or carried out") {
    test::fiber_world world;
    const nic_offloads all{.checksum_ipv4 = true, .longest_tcp_ipv4 = 65535};
    for (const nic_offloads& receive : {nic_offloads{}, nic_offloads{.checksum_ipv4 = true}, all}) {
        auto [left, right] = make_cable({.most_pieces = 64, .transmit = all, .receive = receive, .verifies = true});
        test::check_offloads(left, right);
        test::check_offloads(right, left);
    }
}

TEST_CASE("cable: receivers hear of link and mtu") {
    test::fiber_world world;
    auto [left, right] = make_cable();
    auto& one = left;
    test::check_change(right, [&] { one.set_mtu(1000); });
    test::check_change(left, [&] { one.set_link(false); });
    std::array<packet, 1> some;
    CHECK(right.receive(some, {}).value() == 0);
    test::send(right, test::make_packet(right, test::frame_bytes({}, {}, 60, 1)));
    CHECK(right.statistics().transmitted.lost(frame_loss::no_link) == 1);
}

TEST_CASE("cable: an end that goes wakes who waits in it, and the other loses its link") {
    test::fiber_world world;
    auto [left, right] = make_cable({.queue = 4});
    test::check_end(std::optional{std::move(left)}, true);
    CHECK(!right.info().link_up);
    right.set_link(true);
    CHECK(!right.info().link_up);
}

TEST_CASE("cable: one that drops lets no sender wait") {
    test::fiber_world world;
    auto [left, right] = make_cable({.queue = 4, .drops = true});
    for (std::uint32_t i = 0; i < 10; ++i)
        test::send(left, test::make_packet(left, test::frame_bytes({}, {}, 60, i)));
    CHECK(test::receive_frames(right, 4).size() == 4);
    CHECK(right.statistics().received.lost(frame_loss::no_room) == 6);
}

TEST_CASE("cable: an end without memory loses frames, and says so") {
    test::fiber_world world;
    auto [left, right] = make_cable({.memory = {.large = 2048, .large_count = 4, .small_count = 0}});
    std::vector<packet> held;
    while (auto one = right.allocate(10))
        held.push_back(std::move(*one));
    test::send(left, test::make_packet(left, test::frame_bytes({}, {}, 60, 1)));
    CHECK(right.statistics().received.lost(frame_loss::no_memory) == 1);
    held.clear();
    test::send(left, test::make_packet(left, test::frame_bytes({}, {}, 60, 2)));
    CHECK(test::contents(test::receive_frames(right, 1)[0]) == test::frame_bytes({}, {}, 60, 2));
}

using tracer = model::traced_nic<loopback_nic>;
using faulty = model::faulty_nic<loopback_nic>;

TEST_CASE("NIC tracer: is a NIC, and tells of each frame once") {
    test::fiber_world world;
    std::uint64_t received = 0;
    std::uint64_t transmitted = 0;
    auto [left, right] = make_cable({.queue = 8});
    tracer traced{std::move(left), [&](model::nic_direction direction, const packet&) {
                      ++(direction == model::nic_direction::received ? received : transmitted);
                  }};
    test::check_nics(traced, right);
    const nic_statistics all = traced.statistics();
    CHECK(received == all.received.packets);
    CHECK(transmitted == all.transmitted.packets + all.transmitted.lost());
    test::check_end(std::optional{std::move(traced)}, true);
}

TEST_CASE("NIC tracer: says in a line what a frame is") {
    test::fiber_world world;
    std::string lines;
    auto [left, right] = make_cable({.transmit = {.checksum_ipv4 = true}, .receive = {.checksum_ipv4 = true}});
    const auto tell = [&](model::nic_direction direction, const packet& frame) {
        std::array<char, 300> room{};
        text_sink out{room};
        model::describe(direction, frame, out);
        lines += std::string{out.view()} + "\n";
    };
    tracer traced{std::move(left), tell};
    packet frame = test::make_packet(traced, test::tcp_headers(right.info().mac, traced.info().mac, 0));
    frame.metadata() = {.checksum_start = 34, .checksum_at = 16, .checksum = packet_checksum::blank};
    test::send(traced, std::move(frame));
    CHECK(lines.starts_with("> 02:00:00:00:00:01 > 02:00:00:00:00:02, IPv4, length 54; "));
    CHECK(lines.ends_with("; checksum blank\n"));
}

struct collecting_sink {
    std::vector<std::byte> all;
    result<void> write(const_bytes out) {
        all.insert(all.end(), out.begin(), out.end());
        return {};
    }
};

TEST_CASE("capture: what went through a NIC is replayed, at once or in its time") {
    test::fiber_world world;
    collecting_sink file;
    auto writer = net::pcap_writer<collecting_sink>::create(file).value();
    {
        auto [left, right] = make_cable();
        const auto now = [] { return net::capture_time{std::chrono::nanoseconds{fiber::this_scheduler().now()}}; };
        tracer traced{std::move(left), model::capture_with(writer, now)};
        for (std::uint32_t i = 0; i < 3; ++i) {
            test::send(i == 1 ? right : traced.inner(), test::make_packet(right, test::frame_bytes({}, {}, 60 + i, i)));
            if (i == 1)
                test::receive_frames(traced, 1);
            fiber::sleep(fiber::within(5ms));
        }
        test::send(traced, test::make_packet(traced, test::frame_bytes({}, {}, 70, 7)));
    }
    for (const bool paced : {false, true}) {
        auto replay = model::replay_nic::open(file.all, {.paced = paced}).value();
        const auto begun = fiber::this_scheduler().now();
        const auto got = test::receive_frames(replay, 2);
        CHECK(test::contents(got[0]) == test::frame_bytes({}, {}, 61, 1));
        CHECK(test::contents(got[1]) == test::frame_bytes({}, {}, 70, 7));
        CHECK(fiber::this_scheduler().now() - begun == (paced ? 10'000'000 : 0));
        std::array<packet, 1> some;
        CHECK(replay.receive(some, {}).error().code() == std::errc::no_such_device);
        test::send(replay, test::make_packet(replay, test::frame_bytes({}, {}, 60, 1)));
        CHECK(replay.statistics().transmitted.packets == 1);
        CHECK(replay.statistics().received.packets == 2);
    }
    CHECK(model::replay_nic::open(const_bytes{file.all}.first(20)).error().code() == net::wire_errc::truncated);
}

TEST_CASE("capture: a replay that is destroyed or stopped ends who waits in it") {
    test::fiber_world world;
    collecting_sink file;
    auto writer = net::pcap_writer<collecting_sink>::create(file).value();
    REQUIRE(writer.write(net::capture_time{0s}, std::vector<std::byte>(60)));
    REQUIRE(writer.write(net::capture_time{100s}, std::vector<std::byte>(60)));
    std::optional replay{model::replay_nic::open(file.all, {.paced = true}).value()};
    std::array<packet, 4> some;
    CHECK(replay->receive(some, {}).value() == 1);
    std::stop_source stop;
    auto stopped = fiber::spawn([&] { return replay->receive(some, stop.get_token()).error().code(); });
    fiber::this_scheduler().yield();
    stop.request_stop();
    CHECK(stopped.join() == std::errc::operation_canceled);
    auto ended = fiber::spawn([&] { return replay->receive(some, {}).error().code(); });
    fiber::this_scheduler().yield();
    replay.reset();
    CHECK(ended.join() == std::errc::no_such_device);
}

TEST_CASE("bad network: without faults it is a NIC, and when it is late, too") {
    test::fiber_world world;
    for (const auto delay : {0ns, 1000ns}) {
        auto [left, right] =
            make_cable({.queue = 8, .memory = {.large = 2048, .large_count = 3000, .small_count = 512}});
        faulty one{std::move(left),
                   {.least_delay = delay / 2, .most_delay = delay, .queue = delay == 0ns ? 4U : 2000U}};
        test::check_nics(one, right);
        CHECK(one.counts().lost + one.counts().overflowed == 0);
        test::check_end(std::optional{std::move(one)}, delay == 0ns);
    }
}

/// What arrives of 2000 frames: the numbers of the good ones, and how many are damaged.
struct arrivals {
    std::vector<std::uint32_t> numbers;
    std::size_t damaged = 0;
    model::nic_fault_counts counts;
    bool operator==(const arrivals&) const = default;
};
arrivals send_through(const model::nic_fault_plan& plan) {
    auto [left, right] = make_cable({.queue = 5000, .memory = {.large = 2048, .large_count = 10, .small_count = 8000}});
    faulty one{std::move(left), plan};
    for (std::uint32_t i = 0; i < 2000; ++i) {
        test::send(one, test::make_packet(one, test::frame_bytes({}, {}, 100, i)));
        fiber::sleep(fiber::within(100us));
    }
    fiber::sleep(fiber::within(10s));
    arrivals all;
    all.counts = one.counts();
    for (auto left_over = right.statistics().received.packets; left_over != 0; --left_over) {
        const auto data = test::contents(test::receive_frames(right, 1)[0]);
        const auto number = net::wire::load32(data, 14);
        if (data == test::frame_bytes({}, {}, 100, number))
            all.numbers.push_back(number);
        else
            ++all.damaged;
    }
    return all;
}

TEST_CASE("bad network: loses, doubles, damages and reorders by plan, the same for the same seed") {
    test::fiber_world world;
    const model::nic_fault_plan plan{.lost = 0.1, .doubled = 0.05, .damaged = 0.05, .reordered = 0.2};
    const arrivals first = send_through(plan);
    CHECK(first.counts.lost > 150);
    CHECK(first.counts.lost < 250);
    CHECK(first.counts.doubled > 50);
    CHECK(first.damaged == first.counts.damaged);
    CHECK(first.damaged > 50);
    CHECK(first.counts.reordered > 250);
    CHECK(first.numbers.size() + first.damaged == 2000 - first.counts.lost + first.counts.doubled);
    CHECK(!std::is_sorted(first.numbers.begin(), first.numbers.end()));
    CHECK(send_through(plan) == first);
    auto other = plan;
    other.seed = 2;
    CHECK(send_through(other) != first);
}

TEST_CASE("bad network: a delay keeps the order, and the line its rate") {
    test::fiber_world world;
    const arrivals late = send_through({.least_delay = 1ms, .most_delay = 9ms});
    CHECK(late.numbers.size() == 2000);
    CHECK(std::is_sorted(late.numbers.begin(), late.numbers.end()));
    // 100 bytes each 100 microseconds are 8 Mbit/s; a quarter of that lets a quarter through.
    const arrivals slow = send_through({.bits_per_second = 2'000'000, .queue = 20});
    CHECK(slow.numbers.size() > 500);
    CHECK(slow.numbers.size() < 540);
    CHECK(slow.counts.overflowed == 2000 - slow.numbers.size());
}

TEST_CASE("bad network: loses segments, and not what they are joined to") {
    test::fiber_world world;
    auto [left, right] = make_cable({.transmit = {.checksum_ipv4 = true, .longest_tcp_ipv4 = 65535}});
    faulty one{std::move(left), {.lost = 0.3}};
    packet frame = one.allocate(0).value();
    frame.append(test::make_packet(one, std::vector<std::byte>(14'600)));
    std::ranges::copy(test::tcp_headers({}, {}, 14'600), frame.prepend(54).value().begin());
    frame.metadata() = {.checksum_start = 34,
                        .checksum_at = 16,
                        .segment_size = 1460,
                        .header_length = 54,
                        .checksum = packet_checksum::blank,
                        .segmentation = packet_segmentation::tcp_ipv4};
    test::send(one, std::move(frame));
    fiber::sleep(fiber::within(1s));
    CHECK(one.counts().lost > 0);
    CHECK(right.statistics().received.packets == 10 - one.counts().lost);
}

}  // namespace
