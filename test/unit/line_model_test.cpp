// SPDX-License-Identifier: BSD-3-Clause
// Two ends joined by a line: of consoles, of streams.
#include "console_conformance.hpp"
#include "fiber_world.hpp"
#include "stream_conformance.hpp"

#include <halvm/model/loopback_console.hpp>
#include <halvm/model/loopback_stream.hpp>

#include <doctest/doctest.h>

#include <optional>

namespace {

using namespace halvm;
using model::loopback_console;
using model::loopback_listener;
using model::loopback_stream;

TEST_CASE("line of consoles: its ends are Consoles, however little is on its way") {
    test::fiber_world world;
    for (const std::size_t capacity : {1U, 7U, 4096U}) {
        auto [left, right] = loopback_console::make_pair(capacity);
        test::check_console(left, right, 9'000);
        test::check_console(right, left, 9'000);
    }
}

TEST_CASE("line of consoles: when one end goes, the other reads what had come, and then the end") {
    test::fiber_world world;
    auto [left, right] = loopback_console::make_pair();
    std::optional<loopback_console> peer{std::move(right)};
    auto& device = left;
    test::check_end(device, "last words", [&] {
        REQUIRE(peer->write(as_bytes("last words")));
        peer.reset();
    });
    CHECK(device.write(as_bytes("x")).error() == std::make_error_code(std::errc::broken_pipe));
}

TEST_CASE("line of consoles: a writer that waits hears that the other end has gone") {
    test::fiber_world world;
    auto [left, right] = loopback_console::make_pair(4);
    std::optional<loopback_console> peer{std::move(right)};
    auto& device = left;
    auto writer = fiber::spawn([&] { return device.write(as_bytes("too much")); });
    fiber::yield();
    peer.reset();
    CHECK(writer.join().error() == std::make_error_code(std::errc::broken_pipe));
}

TEST_CASE("pair of streams: each is a ByteStream, however little is on its way") {
    test::fiber_world world;
    for (const std::size_t capacity : {1U, 7U, 4096U}) {
        auto [left, right] = loopback_stream::make_pair(capacity);
        test::check_stream(left, right, 9'000);
        test::check_stream(right, left, 9'000);
    }
}

TEST_CASE("pair of streams: a half ends by itself, behind what was written") {
    test::fiber_world world;
    auto [left, right] = loopback_stream::make_pair();
    test::check_halves(left, right);
}

TEST_CASE("pair of streams: who waits hears that the other end has gone") {
    test::fiber_world world;
    auto [left, right] = loopback_stream::make_pair();
    std::optional<loopback_stream> peer{std::move(right)};
    auto& stream = left;
    test::check_gone(stream, peer, 9'000);
}

TEST_CASE("pair of streams: a coroutine waits for bytes and for the end") {
    test::fiber_world world;
    auto [left, right] = loopback_stream::make_pair();
    test::check_watching(left, right);
}

TEST_CASE("listener of streams: hands out what was connected, until it is closed") {
    test::fiber_world world;
    loopback_listener listener;
    auto client = listener.connect();
    REQUIRE(client);
    auto server = listener.accept();
    REQUIRE(server);
    REQUIRE(client->write(as_bytes("hello")));
    CHECK(test::read_exactly(*server, 5) == "hello");
    listener.close();
    CHECK(listener.accept().error() == std::make_error_code(std::errc::broken_pipe));
    CHECK_FALSE(listener.connect());
}

}  // namespace
