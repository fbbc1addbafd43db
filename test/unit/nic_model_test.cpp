// SPDX-License-Identifier: BSD-3-Clause
// NICs without a network: the cable, and what stands between a NIC and its user.
#include "fiber_world.hpp"
#include "nic_conformance.hpp"

#include <halvm/model/loopback.hpp>

#include <doctest/doctest.h>

#include <utility>

namespace {

using namespace halvm;
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

}  // namespace
