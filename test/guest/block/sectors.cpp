// SPDX-License-Identifier: BSD-3-Clause
// Three disks of a real back end, each negotiated in another way: every sector is read and compared, the second half
// is written by many fibers in pieces of random sizes, and dom0 looks at what is there afterwards.
#include "report.hpp"

#include <halvm/fiber.hpp>
#include <halvm/program.hpp>
#include <halvm/xen/disks.hpp>
#include <halvm/xen/domain_memory.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace halvm;

constexpr std::uint64_t size = 4 << 20;
constexpr std::uint64_t half = size / 2;
constexpr unsigned before = 1;
constexpr unsigned after = 99;

// As pattern.py writes it.
void fill(bytes out, std::uint64_t offset, unsigned seed) {
    for (std::size_t i = 0; i < out.size(); ++i) {
        const auto unit = (offset + i) / 512;
        out[i] = static_cast<std::byte>(unit * 7 + (unit >> 8) + (offset + i) % 512 * 13 + seed);
    }
}

bool matches(const_bytes data, std::uint64_t offset, unsigned seed) {
    std::vector<std::byte> expected(data.size());
    fill(expected, offset, seed);
    return std::ranges::equal(data, expected);
}

void check_range(xen::blkfront& disk, std::uint64_t begin, std::uint64_t end, unsigned seed, bytes through) {
    for (std::uint64_t at = begin; at < end; at += through.size()) {
        HALVM_CHECK(read(disk, at / disk.info().sector_size, through));
        HALVM_CHECK(matches(through, at, seed));
    }
}

/// The second half by 16 fibers, in pieces of random numbers of sectors, out of memory of the program's.
void write_half(xen::blkfront& disk) {
    const std::uint64_t sector = disk.info().sector_size;
    constexpr std::uint64_t share = half / 16;
    std::vector<fiber::handle<void>> writers;
    for (std::uint64_t i = 0; i < 16; ++i)
        writers.push_back(fiber::spawn([&, i] {
            std::mt19937_64 random{i};
            std::vector<std::byte> data(48 << 10);
            const std::uint64_t end = half + (i + 1) * share;
            for (std::uint64_t at = half + i * share; at < end;) {
                const auto most = std::min<std::uint64_t>(data.size(), end - at) / sector;
                const auto piece = bytes{data}.first((random() % most + 1) * sector);
                fill(piece, at, after);
                HALVM_CHECK(write(disk, at / sector, piece));
                at += piece.size();
            }
        }));
    for (auto& one : writers)
        one.join();
}

/// Opens it and says what was agreed on.
xen::blkfront open(std::string_view name, const xen::blkfront_options& options) {
    auto disk = xen::open_disk(name, options).value();
    const auto info = disk.info();
    const auto& agreed = disk.features();
    std::printf(
        "%.*s: %lu sectors of %u bytes, %u rings of %u pages, %u in flight, %u segments, persistent %d, "
        "flush %d, discard %d by %u, read-only %d\n",
        static_cast<int>(name.size()), name.data(), info.sectors, info.sector_size, agreed.queues, agreed.ring_pages,
        info.queue_depth, agreed.segments, agreed.persistent, agreed.flush, agreed.discard, info.discard_unit,
        info.read_only);
    HALVM_CHECK(info.sectors * info.sector_size == size);
    HALVM_CHECK(agreed.flush);
    return disk;
}

void say(const xen::blkfront& disk) {
    const auto& counted = disk.statistics();
    std::printf("%lu requests, %lu notifications, %lu bounced, %lu errors\n", counted.requests, counted.notifications,
                counted.bounced, counted.errors);
    HALVM_CHECK(counted.errors == 0);
}

void all_that_there_is() {
    auto disk = open("xvda", {.queues = 4, .ring_pages = 4, .segments = 64});
    HALVM_CHECK(disk.features().queues == 4);
    HALVM_CHECK(disk.features().ring_pages == 4);
    HALVM_CHECK(disk.features().segments == 64);
    HALVM_CHECK(disk.features().persistent);
    HALVM_CHECK(disk.features().discard);
    HALVM_CHECK(disk.info().sector_size == 512);
    HALVM_CHECK(disk.info().queue_depth == 4 * 128);
    auto own = disk.allocate(256 << 10).value();
    check_range(disk, 0, size, before, own);
    write_half(disk);
    HALVM_CHECK(flush(disk));
    check_range(disk, half, size, after, own);
    // What is discarded has to be written again before it is anything.
    HALVM_CHECK(discard(disk, 64, 512));
    auto piece = bytes{own}.first(512 * 512);
    fill(piece, 64 * 512, before);
    HALVM_CHECK(write(disk, 64, piece));
    std::vector<std::byte> beyond(512);
    HALVM_CHECK(read(disk, disk.info().sectors, beyond).error().code() == std::errc::result_out_of_range);
    say(disk);
}

/// Before anything else has taken and left memory.
void what_it_takes() {
    const auto used_pages = [] {
        const auto now = xen::count_memory();
        return now.mapped - now.free;
    };
    // What all disks share is there once they are listed.
    HALVM_CHECK(xen::disks().value().size() == 3);
    const auto without = used_pages();
    auto disk = open("xvdb", {});
    std::vector<std::byte> foreign(64 << 10);
    HALVM_CHECK(read(disk, 0, foreign));
    const auto with = used_pages();
    std::printf("it takes %lu KiB\n", (with - without) * 4);
    HALVM_CHECK(with > without && (with - without) * 4096 <= 3 << 19);
}

void large_sectors(bool persistent) {
    auto disk = open("xvdb", {.persistent = persistent});
    HALVM_CHECK(disk.features().queues == 1);
    HALVM_CHECK(disk.features().ring_pages == 1);
    HALVM_CHECK(disk.features().segments == 32);
    HALVM_CHECK(disk.features().persistent == persistent);
    HALVM_CHECK(disk.info().sector_size == 4096);
    std::vector<std::byte> foreign(96 << 10);
    const auto data = bytes{foreign}.first(64 << 10);
    if (persistent) {
        check_range(disk, 0, size, before, data);
        write_half(disk);
    }
    check_range(disk, half, size, after, data);
    // Each by a grant of its own when it need not be copied.
    HALVM_CHECK((disk.statistics().bounced == 0) == !persistent);
    HALVM_CHECK(read(disk, 1, bytes{foreign}.first(512)).error().code() == std::errc::invalid_argument);
    HALVM_CHECK(flush(disk));
    say(disk);
}

void not_trusted_and_read_only() {
    auto disk = open("xvdc", {.persistent = false});
    HALVM_CHECK(disk.info().read_only);
    std::vector<std::byte> foreign(64 << 10);
    check_range(disk, 0, size, before, foreign);
    HALVM_CHECK(disk.statistics().bounced == disk.statistics().requests);
    HALVM_CHECK(write(disk, 0, foreign).error().code() == std::errc::read_only_file_system);
    say(disk);
}

}  // namespace

int halvm_main() {
    if (const auto words = command_line(); !words.empty()) {
        const auto opened = xen::open_disk(words);
        std::puts(opened ? "opened" : opened.error().message().c_str());
        return 1;
    }
    auto& grants = xen::grants();
    const auto at_first = grants.statistics().in_use;
    what_it_takes();
    all_that_there_is();
    large_sectors(true);
    large_sectors(false);
    not_trusted_and_read_only();
    HALVM_CHECK(grants.collect() == 0);
    HALVM_CHECK(grants.statistics().in_use == at_first);
    HALVM_CHECK(grants.statistics().parked_pages == 0);
    return report::verdict("sectors");
}
