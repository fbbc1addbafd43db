// SPDX-License-Identifier: BSD-3-Clause
// Fibers of a process that wait for file descriptors, on the real clock and the real epoll.
#include "linux/fibers.hpp"

#include <halvm/fiber.hpp>
#include <halvm/linux/readiness.hpp>

#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>

namespace {

using namespace halvm;
using namespace std::chrono_literals;
using process::direction;
using process::wait_ready;

// The tests of this program are the first fiber of a process.
[[maybe_unused]] const bool started = (process::fibers_start(), true);

struct socket_pair {
    socket_pair() { REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) == 0); }
    ~socket_pair() {
        for (const int end : ends)
            if (end >= 0)
                close(end);
    }
    std::array<int, 2> ends{};
};

TEST_CASE("readiness: a fiber that waits for input lets the others run, and wakes when it is there") {
    socket_pair pair;
    bool others_ran = false;
    auto reader = fiber::spawn([&] { return wait_ready(pair.ends[0], direction::read).value(); });
    auto writer = fiber::spawn([&] {
        fiber::sleep(fiber::within(1ms));
        others_ran = true;
        REQUIRE(write(pair.ends[1], "x", 1) == 1);
    });
    CHECK(reader.join() == fiber::wake::signalled);
    CHECK(others_ran);
    writer.join();
}

TEST_CASE("readiness: a deadline and a stop end the wait") {
    socket_pair pair;
    CHECK(wait_ready(pair.ends[0], direction::read, fiber::within(1ms)).value() == fiber::wake::timed_out);
    std::stop_source stop;
    auto waiting = fiber::spawn([&] { return wait_ready(pair.ends[0], direction::read, stop.get_token()).value(); });
    fiber::yield();
    stop.request_stop();
    CHECK(waiting.join() == fiber::wake::stopped);
}

TEST_CASE("readiness: reader and writer of one descriptor wait apart") {
    socket_pair pair;
    std::array<char, 65536> much{};
    while (send(pair.ends[0], much.data(), much.size(), MSG_DONTWAIT) > 0) {}
    auto writer = fiber::spawn([&] { return wait_ready(pair.ends[0], direction::write).value(); });
    auto reader = fiber::spawn([&] { return wait_ready(pair.ends[0], direction::read).value(); });
    fiber::yield();
    REQUIRE(write(pair.ends[1], "x", 1) == 1);
    CHECK(reader.join() == fiber::wake::signalled);
    while (recv(pair.ends[1], much.data(), much.size(), MSG_DONTWAIT) > 0) {}
    CHECK(writer.join() == fiber::wake::signalled);
}

TEST_CASE("readiness: a signal tells each time that there is something to read, and once that there is room") {
    socket_pair pair;
    fiber::wait_queue readers{"bytes", true}, writers{"room", true};
    bool noted = false;
    process::ready_signal signal;
    REQUIRE(signal.begin(pair.ends[0], readers, noted));
    for (int i = 0; i < 3; ++i) {
        auto reader = fiber::spawn([&] { return fiber::this_scheduler().wait(readers, fiber::within(10s)); });
        fiber::yield();
        noted = false;
        REQUIRE(write(pair.ends[1], "x", 1) == 1);
        CHECK(reader.join() == fiber::wake::signalled);
        CHECK(noted);
        char got{};
        REQUIRE(read(pair.ends[0], &got, 1) == 1);
    }
    std::array<char, 65536> much{};
    while (send(pair.ends[0], much.data(), much.size(), MSG_DONTWAIT) > 0) {}
    auto writer = fiber::spawn([&] { return fiber::this_scheduler().wait(writers, fiber::within(10s)); });
    fiber::yield();
    signal.await_writable(writers);
    while (recv(pair.ends[1], much.data(), much.size(), MSG_DONTWAIT) > 0) {}
    CHECK(writer.join() == fiber::wake::signalled);
    // What could be written to all the time would keep the process awake.
    CHECK(fiber::this_scheduler().wait(writers, fiber::within(1ms)) == fiber::wake::timed_out);
}

TEST_CASE("readiness: the other end's going is readiness too") {
    socket_pair pair;
    auto reader = fiber::spawn([&] { return wait_ready(pair.ends[0], direction::read).value(); });
    fiber::yield();
    close(std::exchange(pair.ends[1], -1));
    CHECK(reader.join() == fiber::wake::signalled);
}

TEST_CASE("readiness: a number that was closed and opened again is a new descriptor") {
    for (int round = 0; round < 3; ++round) {
        socket_pair pair;
        auto reader = fiber::spawn([&] { return wait_ready(pair.ends[0], direction::read).value(); });
        fiber::yield();
        REQUIRE(write(pair.ends[1], "x", 1) == 1);
        CHECK(reader.join() == fiber::wake::signalled);
    }
}

TEST_CASE("readiness: a file on disk is always ready, and what is not open is an error") {
    std::FILE* const file = std::tmpfile();
    REQUIRE(file != nullptr);
    CHECK(wait_ready(fileno(file), direction::read).value() == fiber::wake::signalled);
    std::fclose(file);
    const auto how = wait_ready(-1, direction::read);
    REQUIRE_FALSE(how);
    CHECK(how.error().code() == std::errc::bad_file_descriptor);
}

}  // namespace
