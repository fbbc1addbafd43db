// SPDX-License-Identifier: BSD-3-Clause
// Both ends of a ring over the same memory: they agree with each other, and neither believes the other.
#include <halvm/xen/pending_table.hpp>
#include <halvm/xen/ring.hpp>

#include <xen/io/ring.h>

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <deque>
#include <random>
#include <set>
#include <vector>

namespace {

using namespace halvm;

struct request {
    std::uint64_t id;
    std::uint32_t words[5]{};
};
struct response {
    std::uint64_t id;
    std::int16_t status = 0;
};
using front = xen::front_ring<request, response>;
using back = xen::back_ring<request, response>;

DEFINE_RING_TYPES(reference, request, response);

struct shared_pages {
    explicit shared_pages(std::size_t count) : memory(count * 512) {}
    operator bytes() { return {reinterpret_cast<std::byte*>(memory.data()), memory.size() * 8}; }
    xen::detail::ring_head& head() { return *reinterpret_cast<xen::detail::ring_head*>(memory.data()); }
    std::vector<std::uint64_t> memory;
};

TEST_CASE("ring: lies in memory as Xen's own header says") {
    for (const std::size_t pages : {1, 2, 4, 16}) {
        shared_pages memory{pages};
        front asking{memory};
        auto* const theirs = reinterpret_cast<reference_sring*>(memory.memory.data());
        CHECK(asking.slots() == __RING_SIZE(theirs, pages * 4096));
        CHECK(theirs->req_event == 1);
        CHECK(theirs->rsp_event == 1);
        asking.push({.id = 7});
        asking.push({.id = 8});
        CHECK(theirs->req_prod == 0);
        CHECK(asking.publish());
        CHECK(theirs->req_prod == 2);
        CHECK(theirs->ring[0].req.id == 7);
        CHECK(theirs->ring[1].req.id == 8);
    }
}

TEST_CASE("ring: a full ring has no room until a response is taken") {
    shared_pages memory{1};
    front asking{memory};
    back answering{memory};
    for (std::uint64_t id = 0; asking.room() != 0; ++id)
        asking.push({.id = id});
    CHECK(asking.unanswered() == asking.slots());
    static_cast<void>(asking.publish());
    request one{};
    REQUIRE(answering.take(one).value());
    answering.push({.id = one.id, .status = 0});
    CHECK(asking.room() == 0);
    static_cast<void>(answering.publish());
    response answer{};
    REQUIRE(asking.take(answer).value());
    CHECK(answer.id == 0);
    CHECK(asking.room() == 1);
}

TEST_CASE("ring: an end that looks by itself is not told, and one that went to sleep is") {
    shared_pages memory{1};
    front asking{memory};
    back answering{memory};
    request one{};
    asking.push({.id = 1});
    CHECK(asking.publish());
    asking.push({.id = 2});
    CHECK_FALSE(asking.publish());
    REQUIRE(answering.take(one).value());
    REQUIRE(answering.take(one).value());
    asking.push({.id = 3});
    CHECK_FALSE(asking.publish());
    REQUIRE(answering.take(one).value());
    REQUIRE_FALSE(answering.take(one).value());
    asking.push({.id = 4});
    CHECK(asking.publish());
}

TEST_CASE("ring: every request is answered once, in any order of steps, also where the indices begin again at 0") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        CAPTURE(seed);
        std::mt19937_64 random{seed};
        shared_pages memory{1};
        const auto start = seed % 2 == 0 ? UINT32_MAX - 1000 : 0;
        front asking{memory, start};
        back answering{memory, start};
        std::uint64_t asked = 0;
        std::uint64_t answered = 0;
        std::deque<std::uint64_t> taken;
        bool front_told = true;
        bool back_told = true;
        std::set<std::uint64_t> open;
        while (answered < 20'000) {
            switch (random() % 4) {
            case 0:
                for (auto n = random() % 8; n != 0 && asking.room() != 0; --n) {
                    open.insert(asked);
                    asking.push({.id = asked++});
                }
                back_told = asking.publish() || back_told;
                break;
            case 1:
                for (request one{}; back_told && taken.size() < 200;) {
                    if (!answering.take(one).value()) {
                        back_told = false;
                        break;
                    }
                    taken.push_back(one.id);
                }
                break;
            case 2:
                for (auto n = random() % 8; n != 0 && !taken.empty(); --n) {
                    const auto at = taken.begin() + static_cast<std::ptrdiff_t>(random() % taken.size());
                    answering.push({.id = *at, .status = 0});
                    taken.erase(at);
                }
                front_told = answering.publish() || front_told;
                break;
            default:
                for (response one{}; front_told;) {
                    if (!asking.take(one).value()) {
                        front_told = false;
                        break;
                    }
                    REQUIRE(open.erase(one.id) == 1);
                    ++answered;
                }
            }
        }
    }
}

TEST_CASE("ring: a response to nothing, or an index that jumps, breaks the ring for good") {
    for (const std::uint32_t lie : {2U, 33U, 0x8000'0000U, 0xffff'ffffU}) {
        shared_pages memory{1};
        front asking{memory};
        asking.push({.id = 1});
        static_cast<void>(asking.publish());
        memory.head().rsp_prod = lie;
        response one{};
        const auto how = asking.take(one);
        REQUIRE_FALSE(how);
        CHECK(how.error().code() == std::errc::protocol_error);
        memory.head().rsp_prod = 1;
        CHECK_FALSE(asking.take(one));
    }
}

TEST_CASE("ring: what was pushed but not shown cannot be answered") {
    shared_pages memory{1};
    front asking{memory};
    asking.push({.id = 1});
    memory.head().rsp_prod = 1;
    response one{};
    CHECK_FALSE(asking.take(one));
}

TEST_CASE("ring: a front end that asks more than its ring holds breaks it") {
    shared_pages memory{1};
    front asking{memory};
    back answering{memory};
    memory.head().req_prod = answering.slots() + 1;
    request one{};
    CHECK_FALSE(answering.take(one));
}

TEST_CASE("ring: an end survives whatever the other writes") {
    std::mt19937_64 random{1};
    for (int round = 0; round < 2000; ++round) {
        shared_pages memory{1};
        front asking{memory};
        for (int step = 0; step < 50; ++step) {
            for (auto n = random() % 4; n != 0 && asking.room() != 0; --n)
                asking.push({.id = random()});
            static_cast<void>(asking.publish());
            memory.memory[random() % (random() % 2 == 0 ? 8 : memory.memory.size())] = random() >> random() % 64;
            std::uint32_t taken = 0;
            const auto before = asking.unanswered();
            for (response one{};; ++taken) {
                const auto how = asking.take(one);
                if (!how || !*how)
                    break;
            }
            CHECK(taken <= before);
            CHECK(asking.unanswered() <= asking.slots());
        }
    }
}

TEST_CASE("pending table: an id is pending once, and nothing else is") {
    xen::pending_table<int> table{4};
    std::set<std::uint32_t> ids;
    for (int i = 0; i < 4; ++i)
        ids.insert(table.add(i));
    CHECK(ids == std::set<std::uint32_t>{0, 1, 2, 3});
    CHECK(table.full());
    CHECK(table.take(2).has_value());
    CHECK_FALSE(table.take(2).has_value());
    CHECK_FALSE(table.take(4).has_value());
    CHECK_FALSE(table.take(UINT64_MAX).has_value());
    CHECK(table.pending() == 3);
    CHECK(table.add(9) == 2);
    int sum = 0;
    table.for_each([&](std::uint32_t, int value) { sum += value; });
    CHECK(sum == 0 + 1 + 9 + 3);
}

}  // namespace
