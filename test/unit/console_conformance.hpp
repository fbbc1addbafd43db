// SPDX-License-Identifier: BSD-3-Clause
// What every Console does, whatever is below it. [halvm/device/console.hpp: Semantics]
// It is tested against its other side, which is one too: the end of a line, a terminal's master, a back end.
#pragma once

#include "byte_traffic.hpp"

#include <halvm/device/console.hpp>
#include <halvm/fiber.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <string>
#include <system_error>
#include <vector>

namespace halvm::test {

/// `beyond` is more than all buffers between the two hold.
template <Console Device, Console Peer>
void check_console(Device& device, Peer& peer, std::size_t beyond = 300'000) {
    using namespace std::chrono_literals;
    std::array<std::byte, 8> few;

    INFO("nothing to read and nothing to write are no reason to wait");
    CHECK(device.read({}).value() == 0);
    CHECK(device.try_read({}).value() == 0);
    CHECK(device.try_read(few).value() == 0);
    CHECK(device.write({}));

    INFO("every byte goes out once and in order; a writer waits until all of it was taken");
    {
        const auto text = traffic(beyond, 1);
        bool over = false;
        auto writer = fiber::spawn([&] {
            auto how = device.write(as_bytes(text));
            over = true;
            return how;
        });
        for (int round = 0; round < 10; ++round)
            fiber::yield();
        CHECK_FALSE(over);
        CHECK(read_exactly(peer, beyond) == text);
        CHECK(writer.join());
    }

    INFO("and in, however small the pieces are");
    for (const std::size_t at_once : {1U, 3U, 5000U}) {
        const auto text = traffic(20'000, 2);
        auto writer = fiber::spawn([&] { return peer.write(as_bytes(text)); });
        CHECK(read_exactly(device, text.size(), at_once) == text);
        CHECK(writer.join());
    }
    CHECK(device.try_read(few).value() == 0);

    INFO("a reader waits for the first byte, and not for more");
    {
        bool over = false;
        auto reader = fiber::spawn([&] {
            auto count = device.read(few);
            over = true;
            return count;
        });
        fiber::yield();
        CHECK_FALSE(over);
        REQUIRE(peer.write(as_bytes("ab")));
        const auto count = reader.join();
        REQUIRE(count);
        if (*count == 1)
            CHECK(read_exactly(device, 1) == "b");
    }

    INFO("what is written in one call stays together, and comes in the order of the calls");
    {
        std::vector<fiber::handle<void>> writers;
        std::string all;
        for (const char letter : {'a', 'b', 'c'}) {
            all += std::string(beyond / 3, letter);
            writers.push_back(
                fiber::spawn([&, letter] { CHECK(device.write(as_bytes(std::string(beyond / 3, letter)))); }));
        }
        CHECK(read_exactly(peer, all.size()) == all);
        for (auto& one : writers)
            one.join();
    }

    INFO("a wait ends at its limit, and the console can be used on");
    {
        CHECK(fails_with(device.read(few, fiber::within(1ms)), std::errc::timed_out));
        std::stop_source stop;
        auto reader = fiber::spawn([&] { return device.read(few, stop.get_token()); });
        auto writer = fiber::spawn([&] { return device.write(as_bytes(traffic(beyond, 3)), stop.get_token()); });
        auto behind = fiber::spawn([&] { return device.write(as_bytes("x"), stop.get_token()); });
        fiber::yield();
        stop.request_stop();
        CHECK(fails_with(reader.join(), std::errc::operation_canceled));
        CHECK(fails_with(writer.join(), std::errc::operation_canceled));
        CHECK(fails_with(behind.join(), std::errc::operation_canceled));
        // A mark that is in no text shows where the part of it that went out ends.
        auto marks = fiber::spawn([&] { return device.write(as_bytes("~")); });
        std::string part;
        while (part.empty() || part.back() != '~')
            part += read_exactly(peer, 1);
        CHECK(marks.join());
        part.pop_back();
        CHECK(traffic(beyond, 3).starts_with(part));
    }

    INFO("what is there is read although a stop was asked for");
    {
        std::stop_source stop;
        stop.request_stop();
        REQUIRE(peer.write(as_bytes("z")));
        while (device.try_read({}).value() == 0 && !device.read(bytes{few}.first(1), stop.get_token()))
            fiber::yield();
        CHECK(few[0] == std::byte{'z'});
        CHECK(device.write(as_bytes("y"), stop.get_token()));
        CHECK(read_exactly(peer, 1) == "y");
    }
}

/// `go` makes the other side go for good, with `last` on its way and a reader waiting: what had come is read, and then
/// the input has ended, or reading fails; so does writing.
template <Console Device, class Go>
void check_end(Device& device, std::string_view last, Go go) {
    auto reader = fiber::spawn([&] {
        std::string all;
        std::array<std::byte, 8> few;
        while (const auto count = device.read(few).value_or(0))
            all += as_text(bytes{few}.first(count));
        return all;
    });
    fiber::yield();
    go();
    CHECK(reader.join() == last);
    std::array<std::byte, 8> few;
    CHECK(device.read(few).value_or(0) == 0);
    CHECK(device.try_read(few).value_or(0) == 0);
    CHECK_FALSE(device.write(as_bytes("to nobody")));
}

}  // namespace halvm::test
