// SPDX-License-Identifier: BSD-3-Clause
// Packets and their pools.
#include <halvm/device/nic.hpp>
#include <halvm/device/packet_pool.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <random>
#include <ranges>
#include <system_error>
#include <vector>

namespace {

using namespace halvm;
using model = std::vector<std::byte>;

constexpr packet_pool_shape shape{.large = 1024, .large_count = 8, .small = 128, .small_count = 8, .headroom = 64};
constexpr packet_pool_counts full{8, 8, 32};

static_assert(sizeof(packet) == sizeof(void*));
static_assert(std::is_nothrow_move_constructible_v<packet> && !std::is_copy_constructible_v<packet>);
static_assert(std::ranges::forward_range<packet_pieces<bytes>> &&
              std::ranges::forward_range<packet_pieces<packet_slice>>);

model contents(const packet& of) {
    model all(of.size());
    of.copy_out(0, all);
    return all;
}

model numbers(std::size_t size, unsigned from = 0) {
    model made(size);
    for (std::byte& each : made)
        each = static_cast<std::byte>(from++);
    return made;
}

packet filled(packet_pool& pool, const model& data) {
    auto made = pool.allocate(data.size());
    REQUIRE(made);
    made->copy_in(0, data);
    return std::move(*made);
}

TEST_CASE("packet: none has no size and no pieces") {
    packet none;
    CHECK(!none);
    CHECK(none.size() == 0);
    CHECK(none.piece_count() == 0);
    CHECK(none.front().empty());
    CHECK(none.headroom() + none.tailroom() == 0);
}

TEST_CASE("pool: gives small packets small storage, and one that fits whole pieces") {
    auto pool = packet_pool::make(shape).value();
    CHECK(pool.idle() == full);
    {
        const auto small = pool.allocate(64).value();
        CHECK(pool.idle() == packet_pool_counts{8, 7, 31});
        CHECK(small.headroom() == 64);
        const auto one = pool.allocate(1024 - 64).value();
        CHECK(one.piece_count() == 1);
        const auto large = pool.allocate(3000).value();
        CHECK(large.piece_count() == 3);
        CHECK(large.size() == 3000);
        const auto nothing = pool.allocate(0).value();
        CHECK(static_cast<bool>(nothing));
        CHECK(nothing.piece_count() == 0);
    }
    CHECK(pool.idle() == full);
}

TEST_CASE("pool: when it is empty, that is an error and nothing is lost") {
    auto pool = packet_pool::make(shape).value();
    CHECK(pool.allocate(10'000).error().code() == std::errc::not_enough_memory);
    CHECK(pool.idle() == full);
    std::vector<packet> all;
    while (auto one = pool.allocate(0))
        all.push_back(std::move(*one));
    CHECK(all.size() == 16);
    auto& last = all.back();
    CHECK(last.prepend(200).error().code() == std::errc::not_enough_memory);
    CHECK(last.append_copy(numbers(2000)).error().code() == std::errc::not_enough_memory);
    CHECK(last.size() == 0);
    all.clear();
    CHECK(pool.idle() == full);
}

TEST_CASE("pool: packets outlive it, and its memory goes with the last of them") {
    class watched final : public packet_memory {
    public:
        explicit watched(bool& gone) : gone_{gone} {}
        ~watched() override { gone_ = true; }
        bytes run() noexcept override { return buffer_; }

    private:
        bool& gone_;
        memory_buffer buffer_ = memory_buffer::make(shape.bytes_in_all()).value();
    };
    bool gone = false;
    packet kept;
    {
        packet_pool pool{std::make_unique<watched>(gone), shape};
        kept = filled(pool, numbers(1500));
    }
    CHECK(!gone);
    CHECK(contents(kept) == numbers(1500));
    auto other = packet_pool::make(shape).value();
    packet mixed = filled(other, numbers(10));
    mixed.append(std::move(kept));
    CHECK(!gone);
    mixed.trim_back(1500);
    CHECK(gone);
    CHECK(contents(mixed) == numbers(10));
}

TEST_CASE("pool: the owner of its memory is told when something comes back that was wanted") {
    class counting final : public packet_memory {
    public:
        explicit counting(int& count) : count_{count} {}
        bytes run() noexcept override { return buffer_; }
        void returned() noexcept override { ++count_; }

    private:
        int& count_;
        memory_buffer buffer_ = memory_buffer::make(shape.bytes_in_all()).value();
    };
    int count = 0;
    packet_pool pool{std::make_unique<counting>(count), shape};
    static_cast<void>(pool.allocate(64));
    CHECK(count == 0);
    std::vector<packet> all;
    while (auto one = pool.allocate(900))
        all.push_back(std::move(*one));
    all.pop_back();
    CHECK(count == 1);
    all.clear();
    CHECK(count == 1);
}

TEST_CASE("pool: a storage's number and place tell the driver which page it is") {
    auto pool = packet_pool::make({.large = 2048, .large_count = 4, .small = 256, .small_count = 16}).value();
    std::vector<packet> all;
    std::vector<bool> seen(20);
    while (auto one = pool.allocate(1, 0)) {
        const packet_slice slice = *one->slices().begin();
        CHECK(&slice.storage.memory() == &pool.memory());
        CHECK(slice.storage.capacity() == (slice.storage.number() < 4 ? 2048 : 256));
        const auto offset = static_cast<std::size_t>(slice.storage.data() - pool.memory().run().data());
        CHECK(offset ==
              (slice.storage.number() < 4 ? 2048 * slice.storage.number() : 8192 + 256 * (slice.storage.number() - 4)));
        CHECK(!seen[slice.storage.number()]);
        seen[slice.storage.number()] = true;
        all.push_back(std::move(*one));
    }
    CHECK(all.size() == 20);
}

TEST_CASE("packet: headers are put in front of shared data without touching it") {
    auto pool = packet_pool::make(shape).value();
    packet data = filled(pool, numbers(500));
    packet first = data.clone().value();
    packet second = data.clone(100, 50).value();
    CHECK(first.headroom() == 0);
    for (packet* each : {&first, &second}) {
        auto header = each->prepend(20);
        REQUIRE(header);
        std::ranges::fill(*header, std::byte{0xee});
        CHECK(each->piece_count() == 2);
        // The next one finds room in front of it.
        std::ranges::fill(each->prepend(14).value(), std::byte{0xff});
        CHECK(each->piece_count() == 2);
        CHECK(each->front().size() == 34);
    }
    CHECK(contents(data) == numbers(500));
    CHECK(first.size() == 534);
    model expected(14, std::byte{0xff});
    expected.resize(34, std::byte{0xee});
    std::ranges::copy(numbers(50, 100), std::back_inserter(expected));
    CHECK(contents(second) == expected);
}

TEST_CASE("packet: headroom before data is used when the data is behind an empty first slice") {
    auto pool = packet_pool::make(shape).value();
    packet frame = pool.allocate(0).value();
    frame.append(filled(pool, numbers(300)));
    CHECK(frame.prepend(40));
    CHECK(frame.piece_count() == 2);
    CHECK(frame.front().size() == 40);
    CHECK(frame.headroom() == 24);
}

TEST_CASE("packet: offsets in the metadata stay with their bytes") {
    auto pool = packet_pool::make(shape).value();
    packet frame = filled(pool, numbers(100));
    frame.metadata() = {.checksum_start = 0,
                        .checksum_at = 16,
                        .segment_size = 40,
                        .header_length = 20,
                        .checksum = packet_checksum::blank,
                        .segmentation = packet_segmentation::tcp_ipv4};
    REQUIRE(frame.prepend(34));
    CHECK(frame.metadata().checksum_start == 34);
    CHECK(frame.metadata().checksum_at == 16);
    CHECK(frame.metadata().header_length == 54);
    REQUIRE(frame.prepend(100));
    frame.trim_front(100);
    CHECK(frame.metadata().checksum_start == 34);
    const packet copy = frame.clone().value();
    CHECK(copy.metadata() == frame.metadata());
    frame.trim_front(35);
    CHECK(frame.metadata().checksum == packet_checksum::present);
    CHECK(copy.metadata().checksum == packet_checksum::blank);
}

TEST_CASE("packet: a part knows where it came from, and nothing of checksums") {
    auto pool = packet_pool::make(shape).value();
    packet whole = filled(pool, numbers(100));
    whole.metadata() = {.flow_hash = 7, .queue = 3, .interface = 2, .checksum = packet_checksum::verified};
    whole.set_arrival(std::chrono::nanoseconds{5});
    const packet_metadata origin{.flow_hash = 7, .queue = 3, .interface = 2};
    const packet part = whole.clone(0, 100).value();
    CHECK(part.metadata() == origin);
    CHECK(part.arrival().count() == 5);
    const packet rest = whole.split(50).value();
    CHECK(rest.metadata() == origin);
    CHECK(rest.arrival().count() == 5);
    CHECK(whole.metadata().checksum == packet_checksum::verified);
    // Memory of the pool does not remember what was in it.
    const packet fresh = pool.allocate(1).value();
    CHECK(fresh.metadata() == packet_metadata{});
    CHECK(fresh.arrival().count() == 0);
}

TEST_CASE("packet: headers in pieces become one run, in place when there is room") {
    auto pool =
        packet_pool::make({.large = 1024, .large_count = 4, .small = 128, .small_count = 32, .headroom = 64}).value();
    packet frame = filled(pool, numbers(10));
    for (unsigned i = 1; i < 20; ++i)
        frame.append(filled(pool, numbers(10, 10 * i)));
    // The first slice has room for it.
    const packet_storage* const before = &(*frame.slices().begin()).storage;
    CHECK(frame.linearize(54).value().size() == 54);
    CHECK(&(*frame.slices().begin()).storage == before);
    CHECK(frame.front().size() == 54);
    CHECK(contents(frame) == numbers(200));
    // Not for that.
    CHECK(frame.linearize(200).value().size() == 200);
    CHECK(frame.piece_count() == 1);
    CHECK(contents(frame) == numbers(200));
    CHECK(frame.headroom() >= 14);
    frame.append(filled(pool, numbers(1000, 200)));
    CHECK(frame.linearize(1025).error().code() == std::errc::value_too_large);
    CHECK(frame.linearize(0).value().empty());
    CHECK(contents(frame) == numbers(1200));
}

TEST_CASE("packet: writable() gives memory that no clone sees") {
    auto pool = packet_pool::make(shape).value();
    packet one = filled(pool, numbers(300));
    const packet other = one.clone().value();
    CHECK(one.linearize(40).value().data() == other.front().data());
    const bytes header = one.writable(40).value();
    CHECK(header.data() != other.front().data());
    std::ranges::fill(header, std::byte{0xaa});
    CHECK(contents(other) == numbers(300));
    model expected = numbers(300);
    std::fill_n(expected.begin(), 40, std::byte{0xaa});
    CHECK(contents(one) == expected);
    CHECK(one.writable(40).value().data() == header.data());
}

// Each packet beside a plain array of the bytes that it should have, through a long run of whatever may be done.
TEST_CASE("packet: does what an array does, whatever is done to it in whatever order") {
    struct pair {
        packet real;
        model expected;
    };
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        CAPTURE(seed);
        std::mt19937_64 random{seed};
        const auto up_to = [&](std::size_t most) { return static_cast<std::size_t>(random() % (most + 1)); };
        auto pool = packet_pool::make(shape).value();
        auto second_pool = packet_pool::make({.large = 512, .large_count = 6, .small = 64, .small_count = 6}).value();
        std::vector<pair> all;
        unsigned refused = 0;
        const auto write = [&](bytes to, model::iterator at) {
            std::ranges::generate(to, [&] { return static_cast<std::byte>(random()); });
            std::ranges::copy(to, at);
        };
        const auto add = [&](packet made, model expected) { all.push_back({std::move(made), std::move(expected)}); };
        for (int step = 0; step < 1500; ++step) {
            if (all.empty() || random() % 8 == 0) {
                auto made =
                    (random() % 3 == 0 ? second_pool : pool).allocate(random() % 4 == 0 ? 0 : up_to(1500), up_to(100));
                if (!made) {
                    ++refused;
                    if (!all.empty())
                        all.erase(all.begin() + static_cast<std::ptrdiff_t>(up_to(all.size() - 1)));
                    continue;
                }
                model data(made->size());
                std::size_t at = 0;
                for (const bytes piece : made->pieces()) {
                    write(piece, data.begin() + static_cast<std::ptrdiff_t>(at));
                    at += piece.size();
                }
                add(std::move(*made), std::move(data));
            }
            const std::size_t which = up_to(all.size() - 1);
            pair& one = all[which];
            packet& real = one.real;
            model& expected = one.expected;
            const std::size_t size = expected.size();
            switch (random() % 14) {
            case 0:
            case 1: {
                const std::size_t count = up_to(random() % 2 == 0 ? 60 : 300);
                if (auto front = real.prepend(count)) {
                    CHECK(front->size() == count);
                    expected.insert(expected.begin(), count, {});
                    write(*front, expected.begin());
                } else {
                    ++refused;
                }
                break;
            }
            case 2: {
                const std::size_t count = up_to(real.tailroom());
                expected.resize(size + count);
                write(real.extend(count), expected.end() - static_cast<std::ptrdiff_t>(count));
                break;
            }
            case 3:
            case 4: {
                const std::size_t count = up_to(random() % 2 == 0 ? std::min<std::size_t>(size, 40) : size);
                real.trim_front(count);
                expected.erase(expected.begin(), expected.begin() + static_cast<std::ptrdiff_t>(count));
                break;
            }
            case 5: {
                const std::size_t count = up_to(size);
                real.trim_back(count);
                expected.resize(size - count);
                break;
            }
            case 6: {
                model data(up_to(700));
                write(data, data.begin());
                if (real.append_copy(data))
                    expected.insert(expected.end(), data.begin(), data.end());
                else
                    ++refused;
                break;
            }
            case 7:
                if (all.size() > 1) {
                    const std::size_t from = (which + 1 + up_to(all.size() - 2)) % all.size();
                    real.append(std::move(all[from].real));
                    expected.insert(expected.end(), all[from].expected.begin(), all[from].expected.end());
                    all.erase(all.begin() + static_cast<std::ptrdiff_t>(from));
                    continue;
                }
                break;
            case 8:
                if (size > 1) {
                    const std::size_t at = 1 + up_to(size - 2);
                    if (auto rest = real.split(at)) {
                        model behind(expected.begin() + static_cast<std::ptrdiff_t>(at), expected.end());
                        expected.resize(at);
                        add(std::move(*rest), std::move(behind));
                    } else {
                        ++refused;
                    }
                }
                break;
            case 9: {
                const std::size_t at = up_to(size);
                const std::size_t count = up_to(size - at);
                auto copy = random() % 2 == 0 ? real.clone() : real.clone(at, count);
                if (!copy)
                    ++refused;
                else if (copy->size() == size)
                    add(std::move(*copy), expected);
                else
                    add(std::move(*copy), {expected.begin() + static_cast<std::ptrdiff_t>(at),
                                           expected.begin() + static_cast<std::ptrdiff_t>(at + count)});
                break;
            }
            case 10: {
                const std::size_t count = up_to(std::min<std::size_t>(size, 1100));
                if (const auto front = real.linearize(count))
                    CHECK(std::ranges::equal(*front, expected | std::views::take(count)));
                else
                    ++refused;
                break;
            }
            case 11: {
                const std::size_t count = up_to(std::min<std::size_t>(size, 200));
                if (const auto front = real.writable(count))
                    write(*front, expected.begin());
                else
                    ++refused;
                break;
            }
            case 12: {
                const std::size_t at = up_to(size);
                model part(up_to(size - at));
                real.copy_out(at, part);
                CHECK(std::ranges::equal(part, expected | std::views::drop(at) | std::views::take(part.size())));
                break;
            }
            case 13:
                if (random() % 3 == 0) {
                    all.erase(all.begin() + static_cast<std::ptrdiff_t>(which));
                    continue;
                }
                break;
            }
            for (const auto& [made, data] : all) {
                REQUIRE(made.size() == data.size());
                std::size_t at = 0;
                for (const const_bytes piece : made.pieces()) {
                    REQUIRE(!piece.empty());
                    REQUIRE(std::ranges::equal(piece, data | std::views::drop(at) | std::views::take(piece.size())));
                    at += piece.size();
                }
                REQUIRE(at == data.size());
            }
        }
        CHECK(refused > 0);
        all.clear();
        CHECK(pool.idle() == full);
        CHECK(second_pool.idle() == packet_pool_counts{6, 6, 24});
    }
}

TEST_CASE("NIC check: says why a frame is not sent") {
    auto pool = packet_pool::make({.large = 4096, .large_count = 4, .small = 256, .small_count = 64}).value();
    nic_info info{.mtu = 1500,
                  .most_pieces = 3,
                  .transmit = {.checksum_ipv4 = true, .longest_tcp_ipv4 = 8000, .longest_tcp_ipv6 = 0}};
    const auto frame = [&](std::size_t size, std::uint16_t type = ethernet::ipv4) {
        packet made = filled(pool, model(size));
        const model field{static_cast<std::byte>(type >> 8), static_cast<std::byte>(type)};
        made.copy_in(12, field);
        return made;
    };
    CHECK(check(filled(pool, model(13)), info) == frame_loss::too_short);
    CHECK(check(frame(14), info) == std::nullopt);
    CHECK(check(frame(1514), info) == std::nullopt);
    CHECK(check(frame(1515), info) == frame_loss::too_long);
    CHECK(check(frame(1518, ethernet::tagged), info) == std::nullopt);
    CHECK(check(frame(1519, ethernet::tagged), info) == frame_loss::too_long);

    packet parts = frame(20);
    for (int i = 0; i < 3; ++i)
        parts.append(filled(pool, model(5)));
    CHECK(check(parts, info) == frame_loss::too_many_pieces);

    packet blank = frame(200);
    blank.metadata().checksum = packet_checksum::blank;
    blank.metadata().checksum_start = 34;
    blank.metadata().checksum_at = 16;
    CHECK(check(blank, info) == std::nullopt);
    blank.metadata().checksum_start = 183;
    CHECK(check(blank, info) == frame_loss::bad_offload);
    packet blank_v6 = frame(200, ethernet::ipv6);
    blank_v6.metadata().checksum = packet_checksum::blank;
    blank_v6.metadata().checksum_start = 54;
    CHECK(check(blank_v6, info) == frame_loss::bad_offload);

    packet large = frame(7000);
    CHECK(check(large, info) == frame_loss::too_long);
    large.metadata() = {.checksum_start = 34,
                        .checksum_at = 16,
                        .segment_size = 1446,
                        .header_length = 54,
                        .checksum = packet_checksum::blank,
                        .segmentation = packet_segmentation::tcp_ipv4};
    large.metadata().segment_size = 1460;
    CHECK(check(large, info) == std::nullopt);
    large.metadata().segment_size = 1461;
    CHECK(check(large, info) == frame_loss::too_long);
    large.metadata().segment_size = 0;
    CHECK(check(large, info) == frame_loss::bad_offload);
    large.metadata().segment_size = 1460;
    info.transmit.longest_tcp_ipv4 = 6999;
    CHECK(check(large, info) == frame_loss::too_long);
    info.transmit.longest_tcp_ipv4 = 0;
    CHECK(check(large, info) == frame_loss::bad_offload);
    info.link_up = false;
    CHECK(check(large, info) == frame_loss::no_link);
}

}  // namespace
