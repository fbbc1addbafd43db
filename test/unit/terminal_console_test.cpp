// SPDX-License-Identifier: BSD-3-Clause
#include "child.hpp"
#include "signals.hpp"

#include <halvm/device/console.hpp>
#include <halvm/fiber.hpp>
#include <halvm/linux/terminal_console.hpp>

#include <array>
#include <fcntl.h>
#include <pty.h>
#include <string>
#include <thread>

namespace {

using namespace std::chrono_literals;
using halvm::process::terminal_console;
using halvm::test::in_child;

static_assert(halvm::Console<terminal_console>);

class pipe_pair {
public:
    pipe_pair() { REQUIRE(pipe(ends_.data()) == 0); }
    pipe_pair(const pipe_pair&) = delete;
    pipe_pair& operator=(const pipe_pair&) = delete;
    ~pipe_pair() {
        close_reader();
        close_writer();
    }

    int reader() const { return ends_[0]; }
    int writer() const { return ends_[1]; }
    void close_reader() { close_end(ends_[0]); }
    void close_writer() { close_end(ends_[1]); }
    void make_nonblocking() {
        for (const int end : ends_)
            REQUIRE(fcntl(end, F_SETFL, O_NONBLOCK) == 0);
    }
    /// The capacity after which a writer blocks, small so that a short text goes beyond it many times.
    void make_small() { REQUIRE(fcntl(ends_[1], F_SETPIPE_SZ, 4096) >= 4096); }

private:
    static void close_end(int& end) {
        if (end >= 0)
            close(end);
        end = -1;
    }
    std::array<int, 2> ends_;
};

/// A text without a period that is a power of two, so that a lost or doubled piece shows.
std::string long_text(std::size_t size) {
    std::string text(size, '\0');
    for (std::size_t i = 0; i < size; ++i)
        text[i] = static_cast<char>('!' + i % 89);
    return text;
}

std::string read_slowly(int from) {
    std::string all;
    std::array<char, 1000> chunk;
    for (ssize_t count; (count = read(from, chunk.data(), chunk.size())) != 0;) {
        if (count > 0)
            all.append(chunk.data(), static_cast<std::size_t>(count));
        std::this_thread::sleep_for(100us);
    }
    return all;
}

std::string text_of(terminal_console& console, halvm::result<std::size_t> (terminal_console::*call)(halvm::bytes)) {
    std::array<std::byte, 8> room;
    const auto count = (console.*call)(room);
    REQUIRE(count.has_value());
    return std::string{halvm::as_text(std::span{room}.first(*count))};
}

TEST_CASE("terminal console: fibers that wait for input and for room let each other run") {
    pipe_pair pipe;
    pipe.make_small();
    const std::string text = long_text(20'000);
    auto writer = halvm::fiber::spawn([&] {
        CHECK(terminal_console{STDIN_FILENO, pipe.writer()}.write(halvm::as_bytes(text)));
        pipe.close_writer();
    });
    std::string back;
    auto reader = halvm::fiber::spawn([&] {
        terminal_console console{pipe.reader(), STDOUT_FILENO};
        std::array<std::byte, 777> part;
        while (const auto count = console.read(part).value())
            back.append(halvm::as_text(halvm::bytes{part}.first(count)));
    });
    writer.join();
    reader.join();
    CHECK(back == text);
}

TEST_CASE("terminal console: write hands over all of a text, however slow the reader is") {
    const std::string text = long_text(100'000);
    for (const bool nonblocking : {false, true}) {
        CAPTURE(nonblocking);
        pipe_pair pipe;
        pipe.make_small();
        if (nonblocking)
            pipe.make_nonblocking();
        std::string received;
        std::thread reader{[&] { received = read_slowly(pipe.reader()); }};
        terminal_console console{-1, pipe.writer()};
        {
            const halvm::test::signal_every signals{200us};
            CHECK(console.write(halvm::as_bytes(text)).has_value());
            CHECK(signals.count() > 0);
        }
        pipe.close_writer();
        reader.join();
        CHECK(received == text);
    }
}

TEST_CASE("terminal console: write says that the reader is gone") {
    const auto before = std::signal(SIGPIPE, SIG_IGN);
    pipe_pair pipe;
    pipe.close_reader();
    terminal_console console{-1, pipe.writer()};
    const auto written = console.write(halvm::as_bytes("x"));
    std::signal(SIGPIPE, before);
    REQUIRE_FALSE(written.has_value());
    CHECK(written.error() == std::make_error_code(std::errc::broken_pipe));
    CHECK(written.error().message() == "write to the console: Broken pipe");
}

TEST_CASE("terminal console: a line end on a terminal becomes \\r\\n once, and elsewhere stays as it is") {
    int terminal = -1;
    int process = -1;
    REQUIRE(openpty(&terminal, &process, nullptr, nullptr, nullptr) == 0);
    terminal_console console{process, process};
    CHECK(console.write(halvm::as_bytes("a\nb")).has_value());
    std::array<char, 16> seen;
    CHECK(read(terminal, seen.data(), seen.size()) == 4);
    CHECK(std::string_view{seen.data(), 4} == "a\r\nb");

    pipe_pair pipe;
    terminal_console piped{-1, pipe.writer()};
    CHECK(piped.write(halvm::as_bytes("a\nb")).has_value());
    CHECK(read(pipe.reader(), seen.data(), seen.size()) == 3);

    REQUIRE(write(terminal, "typed\n", 6) == 6);
    CHECK(text_of(console, &terminal_console::read) == "typed\n");
    close(terminal);
    close(process);
}

TEST_CASE("terminal console: read hands out each byte once, and 0 at the end of the input") {
    pipe_pair pipe;
    terminal_console console{pipe.reader(), -1};
    REQUIRE(write(pipe.writer(), "0123456789", 10) == 10);
    CHECK(text_of(console, &terminal_console::read) == "01234567");
    CHECK(text_of(console, &terminal_console::read) == "89");
    pipe.close_writer();
    CHECK(text_of(console, &terminal_console::read) == "");
    CHECK(text_of(console, &terminal_console::try_read) == "");
}

TEST_CASE("terminal console: read waits for the first byte through signals, on a non-blocking descriptor too") {
    for (const bool nonblocking : {false, true}) {
        CAPTURE(nonblocking);
        pipe_pair pipe;
        if (nonblocking)
            pipe.make_nonblocking();
        std::thread writer{[&] {
            std::this_thread::sleep_for(20ms);
            REQUIRE(write(pipe.writer(), "x", 1) == 1);
        }};
        terminal_console console{pipe.reader(), -1};
        const halvm::test::signal_every signals{1ms};
        CHECK(text_of(console, &terminal_console::read) == "x");
        writer.join();
    }
}

TEST_CASE("terminal console: try_read takes what is there and does not wait for more") {
    pipe_pair pipe;
    terminal_console console{pipe.reader(), -1};
    CHECK(text_of(console, &terminal_console::try_read) == "");
    REQUIRE(write(pipe.writer(), "ab", 2) == 2);
    CHECK(text_of(console, &terminal_console::try_read) == "ab");
    CHECK(text_of(console, &terminal_console::try_read) == "");
}

TEST_CASE("terminal console: no room to read into is no reason to wait") {
    pipe_pair pipe;
    terminal_console console{pipe.reader(), pipe.writer()};
    CHECK(console.read({}).value() == 0);
    CHECK(console.try_read({}).value() == 0);
    CHECK(console.write({}).has_value());
}

TEST_CASE("terminal console: a closed descriptor is an error that says what was attempted") {
    terminal_console console{9999, 9999};
    std::array<std::byte, 1> room;
    const auto bad = std::make_error_code(std::errc::bad_file_descriptor);
    CHECK(console.write(halvm::as_bytes("x")).error() == bad);
    CHECK(console.read(room).error() == bad);
    CHECK(console.try_read(room).error() == bad);
    CHECK(console.read(room).error().message() == "read from the console: Bad file descriptor");
}

TEST_CASE("terminal console: opens on stdio, and says so when it was started without") {
    CHECK(halvm::process::open_console().has_value());
    for (const int closed : {STDIN_FILENO, STDOUT_FILENO}) {
        CAPTURE(closed);
        const auto end = in_child([closed] {
            close(closed);
            const auto console = halvm::process::open_console();
            return !console && console.error() == std::make_error_code(std::errc::no_such_device) ? 0 : 1;
        });
        CHECK(end.exit_status == 0);
    }
}

}  // namespace
