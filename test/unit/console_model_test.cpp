// SPDX-License-Identifier: BSD-3-Clause
// Consoles without another side's machine: the line between two of them.
#include "console_conformance.hpp"
#include "fiber_world.hpp"

#include <halvm/model/loopback_console.hpp>

#include <doctest/doctest.h>

#include <optional>

namespace {

using namespace halvm;
using model::loopback_console;

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

}  // namespace
