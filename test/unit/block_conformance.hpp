// SPDX-License-Identifier: BSD-3-Clause
// What every Block does, whatever is below it. [halvm/device/block.hpp: Semantics]
#pragma once

#include <halvm/device/block.hpp>
#include <halvm/device/byte_range.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <random>
#include <system_error>
#include <vector>

namespace halvm::test {

inline std::vector<std::byte> pattern(std::size_t size, std::uint64_t seed) {
    std::mt19937_64 random{seed};
    std::vector<std::byte> made(size);
    std::generate(made.begin(), made.end(), [&] { return static_cast<std::byte>(random()); });
    return made;
}

/// `device` is writable, has at least 64 sectors, and its contents may be lost.
template <Block Device>
void check_block(Device& device) {
    const block_info info = device.info();
    const std::size_t size = info.sector_size;
    REQUIRE(info.sectors >= 64);
    REQUIRE(!info.read_only);
    const auto one = pattern(size, 1);
    const auto many = pattern(16 * size, 2);
    std::vector<std::byte> back(16 * size);

    INFO("what was written is read, at both ends too");
    REQUIRE(write(device, 0, one));
    REQUIRE(write(device, info.sectors - 1, one));
    REQUIRE(write(device, 8, many));
    REQUIRE(read(device, 8, back));
    CHECK(back == many);
    for (const std::uint64_t sector : {std::uint64_t{0}, info.sectors - 1}) {
        REQUIRE(read(device, sector, bytes{back}.first(size)));
        CHECK(std::equal(one.begin(), one.end(), back.begin()));
    }

    INFO("the pieces of a request are one run of sectors, in their order");
    {
        std::vector<std::byte> later(3 * size);
        std::vector<std::byte> earlier(size);
        const std::array<bytes, 2> pieces{earlier, later};
        block_request request{.operation = block_operation::read, .first = 8, .in = pieces};
        REQUIRE(device.transfer({&request, 1}));
        CHECK(std::equal(earlier.begin(), earlier.end(), many.begin()));
        CHECK(std::equal(later.begin(), later.end(), many.begin() + static_cast<std::ptrdiff_t>(size)));
    }

    INFO("memory of the device's own serves as any other does, and is zeroed at first");
    {
        auto own = device.allocate(size + 1);
        REQUIRE(own);
        const bytes memory = *own;
        REQUIRE(memory.size() >= size + 1);
        CHECK(std::ranges::all_of(memory, [](std::byte byte) { return byte == std::byte{}; }));
        std::ranges::copy(one, memory.begin());
        REQUIRE(write(device, 30, memory.first(size)));
        REQUIRE(read(device, 30, bytes{back}.first(size)));
        CHECK(std::equal(one.begin(), one.end(), back.begin()));
    }

    INFO("each request of a batch has its own outcome, and the batch the first failure");
    {
        bytes good = bytes{back}.first(size);
        std::array<block_request, 3> batch{
            block_request{.operation = block_operation::read, .first = 0, .in = {&good, 1}},
            block_request{.operation = block_operation::read, .first = info.sectors, .in = {&good, 1}},
            block_request{.operation = block_operation::read, .first = 1, .in = {}}};
        const auto how = device.transfer(batch);
        CHECK(batch[0].outcome);
        REQUIRE(!batch[1].outcome);
        REQUIRE(!batch[2].outcome);
        CHECK(batch[1].outcome.error().code() == std::errc::result_out_of_range);
        CHECK(batch[2].outcome.error().code() == std::errc::invalid_argument);
        REQUIRE(!how);
        CHECK(how.error().code() == std::errc::result_out_of_range);
    }
    CHECK(device.transfer({}));

    INFO("what no device can do is refused, and changes nothing");
    {
        const auto refused = [](const result<void>& how, std::errc why) { return !how && how.error().code() == why; };
        CHECK(refused(write(device, info.sectors - 1, bytes{back}.first(2 * size)), std::errc::result_out_of_range));
        CHECK(refused(write(device, UINT64_MAX, bytes{back}.first(size)), std::errc::result_out_of_range));
        CHECK(refused(write(device, 0, bytes{back}.first(size - 1)), std::errc::invalid_argument));
        CHECK(refused(write(device, 0, {}), std::errc::invalid_argument));
        CHECK(refused(read(device, 0, {}), std::errc::invalid_argument));
        REQUIRE(read(device, info.sectors - 1, bytes{back}.first(size)));
        CHECK(std::equal(one.begin(), one.end(), back.begin()));
    }

    INFO("flush and discard do what the device says that it can");
    CHECK(flush(device).has_value() == info.flushes);
    CHECK(discard(device, 8, 1).has_value() == (info.longest_discard != 0));

    INFO("ranges of bytes: every offset and length over three sectors");
    {
        const std::size_t range = 3 * size;
        std::vector<std::byte> model = pattern(range, 3);
        REQUIRE(write(device, 40, model));
        std::mt19937_64 random{4};
        for (int round = 0; round < 300; ++round) {
            // Borders of sectors are where mistakes are made.
            const auto near = [&](std::size_t limit) {
                const std::size_t at = random() % 4 * size + random() % 5;
                return random() % 2 == 0 ? std::min(limit, at >= 2 ? at - 2 : 0) : random() % (limit + 1);
            };
            const std::size_t begin = near(range);
            const std::size_t length = std::min(near(range), range - begin);
            const auto fresh = pattern(length, random());
            REQUIRE(write_bytes(device, 40 * size + begin, fresh));
            std::ranges::copy(fresh, model.begin() + static_cast<std::ptrdiff_t>(begin));
            std::vector<std::byte> part(length);
            REQUIRE(read_bytes(device, 40 * size + begin, part));
            CHECK(part == fresh);
        }
        std::vector<std::byte> all(range);
        REQUIRE(read(device, 40, all));
        CHECK(all == model);
    }
}

}  // namespace halvm::test
