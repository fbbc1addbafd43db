// SPDX-License-Identifier: BSD-3-Clause
// What every ByteStream does, whatever is below it. [halvm/net/byte_stream.hpp: Semantics]
// It is tested against its other end, which is one too.
#pragma once

#include "byte_traffic.hpp"

#include <halvm/fiber.hpp>
#include <halvm/net/byte_stream.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace halvm::test {

/// `beyond` is more than all buffers between the two ends hold.
template <net::ByteStream Stream, net::ByteStream Peer>
void check_stream(Stream& stream, Peer& peer, std::size_t beyond = 300'000) {
    using namespace std::chrono_literals;
    std::array<std::byte, 8> few;
    const fiber::wait_limit endless;

    INFO("nothing to read and nothing to write are no reason to wait");
    CHECK(stream.read({}, endless).value() == 0);
    CHECK(stream.write({}, endless));

    INFO("what is written arrives in order and once, both ways at the same time, however much it is");
    {
        const std::string there = traffic(beyond, 1);
        const std::string back = traffic(beyond / 2, 2);
        auto writer = fiber::spawn([&] { return stream.write(as_bytes(there), endless); });
        auto answerer = fiber::spawn([&] { return peer.write(as_bytes(back), endless); });
        auto reader = fiber::spawn([&] { return read_exactly(stream, back.size()); });
        CHECK(read_exactly(peer, there.size(), 1'000) == there);
        CHECK(reader.join() == back);
        CHECK(writer.join());
        CHECK(answerer.join());
    }

    INFO("a reader waits for the first byte, and not for more");
    {
        bool over = false;
        auto reader = fiber::spawn([&] {
            auto count = stream.read(few, endless);
            over = true;
            return count;
        });
        fiber::yield();
        CHECK_FALSE(over);
        REQUIRE(peer.write(as_bytes("ab"), endless));
        const auto count = reader.join();
        REQUIRE(count);
        if (*count == 1)
            CHECK(read_exactly(stream, 1) == "b");
    }

    INFO("what is written in one call stays together, and comes in the order of the calls");
    {
        std::vector<fiber::handle<void>> writers;
        std::string all;
        for (const char letter : {'a', 'b', 'c'}) {
            all += std::string(beyond / 3, letter);
            writers.push_back(
                fiber::spawn([&, letter] { CHECK(stream.write(as_bytes(std::string(beyond / 3, letter)), endless)); }));
        }
        CHECK(read_exactly(peer, all.size()) == all);
        for (auto& one : writers)
            one.join();
    }

    INFO("a wait ends at its limit, and the stream can be used on");
    {
        CHECK(fails_with(stream.read(few, fiber::within(1ms)), std::errc::timed_out));
        std::stop_source stop;
        const fiber::wait_limit limit{stop.get_token()};
        auto reader = fiber::spawn([&] { return stream.read(few, limit); });
        auto writer = fiber::spawn([&] { return stream.write(as_bytes(traffic(beyond, 3)), limit); });
        auto behind = fiber::spawn([&] { return stream.write(as_bytes("x"), limit); });
        fiber::yield();
        stop.request_stop();
        CHECK(fails_with(reader.join(), std::errc::operation_canceled));
        CHECK(fails_with(writer.join(), std::errc::operation_canceled));
        CHECK(fails_with(behind.join(), std::errc::operation_canceled));
        // A mark that is in no text shows where the part of it that went out ends.
        auto marks = fiber::spawn([&] { return stream.write(as_bytes("~"), endless); });
        std::string part;
        while (part.empty() || part.back() != '~')
            part += read_exactly(peer, 1);
        CHECK(marks.join());
        part.pop_back();
        CHECK(traffic(beyond, 3).starts_with(part));
    }
}

/// Ends one half of `stream`, then the other.
template <net::ByteStream Stream, net::ByteStream Peer>
void check_halves(Stream& stream, Peer& peer) {
    std::array<std::byte, 8> few;
    const fiber::wait_limit endless;
    REQUIRE(stream.write(as_bytes("last words"), endless));
    auto waiting = fiber::spawn([&] { return stream.read(few, endless); });
    fiber::yield();
    REQUIRE(stream.shutdown());

    INFO("what was written before arrives, and then the end, again and again");
    CHECK(read_exactly(peer, 10) == "last words");
    CHECK(peer.read(few, endless).value() == 0);
    CHECK(peer.read(few, endless).value() == 0);

    INFO("nothing more can be written, and ending it again changes nothing");
    CHECK(fails_with(stream.write(as_bytes("x"), endless), std::errc::broken_pipe));
    CHECK(stream.shutdown());

    INFO("the other half goes on");
    REQUIRE(peer.write(as_bytes("answer"), endless));
    const std::size_t came = waiting.join().value();
    CHECK(std::string{as_text(bytes{few}.first(came))} + read_exactly(stream, 6 - came) == "answer");
    REQUIRE(peer.shutdown());
    CHECK(stream.read(few, endless).value() == 0);
}

/// Gives `peer` up while a fiber waits to read what it wrote last, and another to write.
template <net::ByteStream Stream, net::ByteStream Peer>
void check_gone(Stream& stream, std::optional<Peer>& peer, std::size_t beyond = 300'000) {
    const fiber::wait_limit endless;
    auto reader = fiber::spawn([&] {
        std::string all;
        std::array<std::byte, 8> few;
        while (const auto count = stream.read(few, endless).value_or(0))
            all += as_text(bytes{few}.first(count));
        return all;
    });
    auto writer = fiber::spawn([&] { return stream.write(as_bytes(traffic(beyond, 4)), endless); });
    fiber::yield();
    REQUIRE(peer->write(as_bytes("last words"), endless));
    peer.reset();
    CHECK(std::string{"last words"}.starts_with(reader.join()));
    CHECK_FALSE(writer.join());
    CHECK_FALSE(stream.write(as_bytes("to nobody"), endless));
}

/// A coroutine waits for bytes, and for the end, without a fiber in read().
template <net::WatchableStream Stream, net::ByteStream Peer>
void check_watching(Stream& stream, Peer& peer) {
    const fiber::wait_limit endless;
    unsigned woken = 0;
    auto watch = [&]() -> fiber::coroutine<void> {
        while (!stream.readable())
            co_await fiber::co::wait(stream.readers());
        ++woken;
    };
    CHECK_FALSE(stream.readable());
    for (const bool at_end : {false, true}) {
        auto watcher = fiber::spawn([&] { fiber::run(watch()); });
        fiber::yield();
        CHECK(woken == (at_end ? 1 : 0));
        if (at_end)
            REQUIRE(peer.shutdown());
        else
            REQUIRE(peer.write(as_bytes("x"), endless));
        watcher.join();
        CHECK(stream.readable());
        if (!at_end) {
            CHECK(read_exactly(stream, 1) == "x");
            CHECK_FALSE(stream.readable());
        }
    }
    std::array<std::byte, 1> one;
    CHECK(stream.read(one, endless).value() == 0);
}

}  // namespace halvm::test
