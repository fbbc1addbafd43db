// SPDX-License-Identifier: BSD-3-Clause
// Every sector of a disk is read and compared, its second half is written, by many fibers and in large requests; dom0
// looks at what is there afterwards.
#include "report.hpp"

#include <halvm/fiber.hpp>
#include <halvm/program.hpp>
#include <halvm/xen/disks.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

namespace {

using namespace halvm;

constexpr std::uint64_t sectors = 8192;

void fill(bytes out, std::uint64_t first, unsigned seed) {
    for (std::size_t i = 0; i < out.size(); ++i) {
        const auto sector = first + i / 512;
        out[i] = static_cast<std::byte>(sector * 7 + (sector >> 8) + i % 512 * 13 + seed);
    }
}

bool matches(const_bytes data, std::uint64_t first, unsigned seed) {
    std::vector<std::byte> expected(data.size());
    fill(expected, first, seed);
    return std::ranges::equal(data, expected);
}

}  // namespace

int halvm_main() {
    auto opened = xen::open_disk(command_line().empty() ? "xvda" : command_line());
    if (!opened) {
        std::puts(opened.error().message().c_str());
        return 1;
    }
    auto& disk = *opened;
    const auto info = disk.info();
    const auto& features = disk.features();
    std::printf("%lu sectors of %u bytes, %u in flight, %u segments, persistent %d, flush %d, discard %d\n",
                info.sectors, info.sector_size, info.queue_depth, features.segments, features.persistent,
                features.flush, features.discard);
    HALVM_CHECK(info.sectors == sectors);
    HALVM_CHECK(info.sector_size == 512);
    HALVM_CHECK(!info.read_only);

    // All of it by large requests into the disk's own memory.
    constexpr std::size_t large = 256 << 10;
    auto own = disk.allocate(large).value();
    for (std::uint64_t at = 0; at < sectors; at += large / 512) {
        HALVM_CHECK(read(disk, at, bytes{own}));
        HALVM_CHECK(matches(bytes{own}, at, 1));
    }
    // The second half by many fibers, each in pieces of another size, out of memory of the program's.
    std::vector<fiber::handle<void>> writers;
    constexpr std::uint64_t half = sectors / 2;
    constexpr std::uint64_t share = half / 16;
    for (std::uint64_t i = 0; i < 16; ++i)
        writers.push_back(fiber::spawn([&, i] {
            std::vector<std::byte> data((i + 1) * 512);
            const std::uint64_t end = half + (i + 1) * share;
            for (std::uint64_t at = half + i * share; at < end; at += i + 1) {
                const auto piece = bytes{data}.first(std::min<std::uint64_t>(i + 1, end - at) * 512);
                fill(piece, at, 99);
                HALVM_CHECK(write(disk, at, piece));
            }
        }));
    for (auto& one : writers)
        one.join();
    HALVM_CHECK(flush(disk).has_value() == info.flushes);
    for (std::uint64_t at = half; at < sectors; at += large / 512) {
        HALVM_CHECK(read(disk, at, bytes{own}));
        HALVM_CHECK(matches(bytes{own}, at, 99));
    }
    std::vector<std::byte> beyond(512);
    HALVM_CHECK(read(disk, sectors, beyond).error().code() == std::errc::result_out_of_range);
    const auto& counted = disk.statistics();
    std::printf("%lu requests, %lu notifications, %lu bounced, %lu errors\n", counted.requests, counted.notifications,
                counted.bounced, counted.errors);
    HALVM_CHECK(counted.errors == 0);
    return report::verdict("sectors");
}
