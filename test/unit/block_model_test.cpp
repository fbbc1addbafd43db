// SPDX-License-Identifier: BSD-3-Clause
// The RAM disk and the decorators around it.
#include "block_conformance.hpp"
#include "fiber_world.hpp"

#include <halvm/model/block_faults.hpp>
#include <halvm/model/block_tracer.hpp>
#include <halvm/model/ram_disk.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <set>
#include <string>
#include <vector>

namespace {

using namespace halvm;
using namespace std::chrono_literals;
using model::ram_disk;
using test::pattern;

static_assert(Block<model::faulty_block<ram_disk>>);
static_assert(Block<model::power_cut_block<ram_disk>>);
static_assert(Block<model::traced_block<ram_disk>>);

TEST_CASE("RAM disk: is a Block, with sectors of each size") {
    for (const std::uint32_t size : {512U, 4096U}) {
        ram_disk disk{{.sectors = 64, .sector_size = size, .longest_discard = 8}};
        test::check_block(disk);
        ram_disk plain{{.sectors = 64, .sector_size = size, .flushes = false}};
        test::check_block(plain);
    }
}

TEST_CASE("RAM disk: a read-only one refuses to change") {
    ram_disk disk{{.sectors = 8, .longest_discard = 8, .read_only = true}};
    const auto data = pattern(512, 1);
    CHECK(write(disk, 0, data).error().code() == std::errc::read_only_file_system);
    CHECK(discard(disk, 0, 1).error().code() == std::errc::read_only_file_system);
    std::vector<std::byte> back(512);
    CHECK(read(disk, 0, back));
}

TEST_CASE("RAM disk: what is beyond the end after it shrank is out of range") {
    ram_disk disk{{.sectors = 8}};
    std::vector<std::byte> back(512);
    REQUIRE(read(disk, 7, back));
    disk.resize(4);
    CHECK(read(disk, 7, back).error().code() == std::errc::result_out_of_range);
    disk.resize(16);
    CHECK(read(disk, 15, back));
}

TEST_CASE("faulty disk: without faults it is a Block") {
    test::fiber_world world;
    model::faulty_block disk{ram_disk{{.sectors = 64}}, {.most_delay = 3ms}};
    test::check_block(disk);
}

TEST_CASE("faulty disk: fails the planned share, the same ones for the same seed") {
    test::fiber_world world;
    const auto failures = [](std::uint64_t seed) {
        model::faulty_block disk{ram_disk{{.sectors = 8}}, {.seed = seed, .error_share = 0.25}};
        std::vector<std::byte> back(512);
        std::set<int> failed;
        for (int i = 0; i < 1000; ++i)
            if (!read(disk, 0, back))
                failed.insert(i);
        return failed;
    };
    const auto first = failures(1);
    CHECK(first.size() > 200);
    CHECK(first.size() < 300);
    CHECK(failures(1) == first);
    CHECK(failures(2) != first);
}

TEST_CASE("faulty disk: after a failed write each sector is old or new, never mixed") {
    test::fiber_world world;
    model::faulty_block disk{ram_disk{{.sectors = 64}}, {.seed = 3, .error_share = 1}};
    const auto before = pattern(64 * 512, 1);
    const auto after = pattern(64 * 512, 2);
    REQUIRE(write(disk.inner(), 0, before));
    CHECK(write(disk, 0, after).error().code() == std::errc::io_error);
    std::vector<std::byte> now(64 * 512);
    REQUIRE(read(disk.inner(), 0, now));
    int fresh = 0;
    for (std::size_t at = 0; at < now.size(); at += 512) {
        const auto same = [&](const auto& as) { return std::equal(&now[at], &now[at] + 512, &as[at]); };
        CHECK((same(before) || same(after)));
        fresh += same(after) ? 1 : 0;
    }
    CHECK(fresh > 0);
    CHECK(fresh < 64);
}

TEST_CASE("faulty disk: batches of several fibers overtake each other") {
    test::fiber_world world;
    model::faulty_block disk{ram_disk{{.sectors = 64}}, {.seed = 5, .least_delay = 1ms, .most_delay = 100ms}};
    std::vector<int> order;
    std::vector<fiber::handle<void>> readers;
    for (int i = 0; i < 8; ++i)
        readers.push_back(fiber::spawn([&, i] {
            std::vector<std::byte> back(512);
            CHECK(read(disk, 0, back));
            order.push_back(i);
        }));
    for (auto& reader : readers)
        reader.join();
    CHECK(order.size() == 8);
    CHECK_FALSE(std::is_sorted(order.begin(), order.end()));
}

TEST_CASE("power cut: what was flushed stays, and each later sector is old or new") {
    model::power_cut_block disk{ram_disk{{.sectors = 64}}, 1};
    const auto flushed = pattern(64 * 512, 1);
    const auto late = pattern(32 * 512, 2);
    REQUIRE(write(disk, 0, flushed));
    REQUIRE(flush(disk));
    REQUIRE(write(disk, 32, late));
    disk.power_off();
    std::vector<std::byte> now(64 * 512);
    CHECK(read(disk, 0, now).error().code() == std::errc::io_error);
    disk.power_on();
    REQUIRE(read(disk, 0, now));
    CHECK(std::equal(now.begin(), now.begin() + 32 * 512, flushed.begin()));
    int fresh = 0;
    for (std::size_t sector = 32; sector < 64; ++sector) {
        const auto* const at = &now[sector * 512];
        const bool is_new = std::equal(at, at + 512, &late[(sector - 32) * 512]);
        CHECK((is_new || std::equal(at, at + 512, &flushed[sector * 512])));
        fresh += is_new ? 1 : 0;
    }
    CHECK(fresh > 0);
    CHECK(fresh < 32);
}

TEST_CASE("power cut: with the power on it is a Block") {
    model::power_cut_block disk{ram_disk{{.sectors = 64, .longest_discard = 8}}, 1};
    test::check_block(disk);
}

TEST_CASE("traced disk: tells each request with its outcome") {
    std::vector<std::string> told;
    const auto tell = [&](const block_request& request, std::uint32_t size) {
        told.push_back(std::string{model::name(request.operation)} + " " + std::to_string(request.first) + "+" +
                       std::to_string(sectors_of(request, size)) + (request.outcome ? "" : " failed"));
    };
    model::traced_block<ram_disk> disk{ram_disk{{.sectors = 64}}, tell};
    std::vector<std::byte> two(1024);
    CHECK(write(disk, 3, two));
    CHECK(flush(disk));
    CHECK_FALSE(read(disk, 63, two));
    CHECK(told == std::vector<std::string>{"write 3+2", "flush 0+0", "read 63+2 failed"});
}

}  // namespace
