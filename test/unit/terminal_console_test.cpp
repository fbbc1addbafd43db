// SPDX-License-Identifier: BSD-3-Clause
#include "child.hpp"
#include "console_conformance.hpp"
#include "signals.hpp"

#include <halvm/device/console.hpp>
#include <halvm/fiber.hpp>
#include <halvm/linux/consoles.hpp>

#include <array>
#include <cstdlib>
#include <fcntl.h>
#include <pty.h>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
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

constexpr auto read_some = [](terminal_console& from, halvm::bytes in) { return from.read(in); };
constexpr auto try_read = [](terminal_console& from, halvm::bytes in) { return from.try_read(in); };

std::string text_of(terminal_console& console, auto read) {
    std::array<std::byte, 8> room;
    const halvm::result<std::size_t> count = read(console, room);
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
    CHECK(text_of(console, read_some) == "typed\n");
    close(terminal);
    close(process);
}

TEST_CASE("terminal console: read hands out each byte once, and 0 at the end of the input") {
    pipe_pair pipe;
    terminal_console console{pipe.reader(), -1};
    REQUIRE(write(pipe.writer(), "0123456789", 10) == 10);
    CHECK(text_of(console, read_some) == "01234567");
    CHECK(text_of(console, read_some) == "89");
    pipe.close_writer();
    CHECK(text_of(console, read_some) == "");
    CHECK(text_of(console, try_read) == "");
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
        CHECK(text_of(console, read_some) == "x");
        writer.join();
    }
}

TEST_CASE("terminal console: try_read takes what is there and does not wait for more") {
    pipe_pair pipe;
    terminal_console console{pipe.reader(), -1};
    CHECK(text_of(console, try_read) == "");
    REQUIRE(write(pipe.writer(), "ab", 2) == 2);
    CHECK(text_of(console, try_read) == "ab");
    CHECK(text_of(console, try_read) == "");
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

/// A terminal that changes no byte, and its master.
struct raw_terminal {
    raw_terminal() {
        REQUIRE(openpty(&master, &slave, name.data(), nullptr, nullptr) == 0);
        termios how{};
        REQUIRE(tcgetattr(slave, &how) == 0);
        cfmakeraw(&how);
        REQUIRE(tcsetattr(slave, TCSANOW, &how) == 0);
        // A terminal says that it has room when it has little, and then blocks all fibers.
        for (const int end : {master, slave})
            REQUIRE(fcntl(end, F_SETFL, O_NONBLOCK) == 0);
    }
    raw_terminal(const raw_terminal&) = delete;
    raw_terminal& operator=(const raw_terminal&) = delete;
    ~raw_terminal() {
        close(slave);
        if (master >= 0)
            close(master);
    }
    void hang_up() { close(std::exchange(master, -1)); }

    std::array<char, 64> name{};
    int master = -1;
    int slave = -1;
};

struct socket_pair {
    socket_pair() { REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) == 0); }
    socket_pair(const socket_pair&) = delete;
    socket_pair& operator=(const socket_pair&) = delete;
    ~socket_pair() {
        for (const int end : ends)
            if (end >= 0)
                close(end);
    }
    void hang_up() { close(std::exchange(ends[1], -1)); }

    std::array<int, 2> ends;
};

TEST_CASE("terminal console: is a Console on a terminal and on a socket, at both ends") {
    {
        raw_terminal line;
        terminal_console device{line.slave, line.slave};
        terminal_console peer{line.master, line.master};
        halvm::test::check_console(device, peer);
        halvm::test::check_console(peer, device);
    }
    socket_pair line;
    terminal_console device{line.ends[0], line.ends[0]};
    terminal_console peer{line.ends[1], line.ends[1]};
    halvm::test::check_console(device, peer, 900'000);
}

TEST_CASE("terminal console: what waits hears that the other side has gone") {
    {
        raw_terminal line;
        terminal_console device{line.slave, line.slave};
        halvm::test::check_end(device, "", [&] { line.hang_up(); });
    }
    socket_pair line;
    terminal_console device{line.ends[0], line.ends[0]};
    terminal_console peer{line.ends[1], line.ends[1]};
    halvm::test::check_end(device, "last words", [&] {
        REQUIRE(peer.write(halvm::as_bytes("last words")));
        line.hang_up();
    });
}

TEST_CASE("terminal console: knows the size of its window, and of another file none") {
    raw_terminal line;
    const terminal_console device{line.slave, line.slave};
    CHECK_FALSE(device.window_size());
    for (const auto columns : {std::uint16_t{80}, std::uint16_t{132}}) {
        const winsize wanted{.ws_row = 25, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
        REQUIRE(ioctl(line.master, TIOCSWINSZ, &wanted) == 0);
        CHECK(device.window_size() == halvm::window_size{.columns = columns, .rows = 25});
    }
    pipe_pair pipe;
    CHECK_FALSE(terminal_console{pipe.reader(), pipe.writer()}.window_size());
}

/// HALVM_CONSOLES for as long as it lives.
struct consoles_variable {
    explicit consoles_variable(const std::string& value) { setenv("HALVM_CONSOLES", value.c_str(), 1); }
    consoles_variable(const consoles_variable&) = delete;
    consoles_variable& operator=(const consoles_variable&) = delete;
    ~consoles_variable() { unsetenv("HALVM_CONSOLES"); }
};

TEST_CASE("consoles of a process: a terminal, a socket and a descriptor, by name or number") {
    raw_terminal line;
    socket_pair inherited;
    const std::string place = "/tmp/halvm_consoles." + std::to_string(getpid());
    const int listening = socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    place.copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(bind(listening, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(listen(listening, 1) == 0);
    const consoles_variable given{"tty=" + std::string{line.name.data()} + ":log=" + place + "::own=/dev/fd/" +
                                  std::to_string(inherited.ends[0])};

    const auto all = halvm::process::consoles().value();
    REQUIRE(all.size() == 3);
    CHECK(all[1].number == "2");
    CHECK(all[1].name == "log");
    const auto talk = [](halvm::process::file_console& device, int other) {
        terminal_console peer{other, other};
        REQUIRE(device.write(halvm::as_bytes("to")));
        CHECK(halvm::test::read_exactly(peer, 2) == "to");
        REQUIRE(peer.write(halvm::as_bytes("fro")));
        CHECK(halvm::test::read_exactly(device, 3) == "fro");
    };
    for (const char* called : {"tty", "1"}) {
        auto device = halvm::process::open_console(called).value();
        talk(device, line.master);
    }
    {
        auto device = halvm::process::open_console("log").value();
        const int accepted = accept(listening, nullptr, nullptr);
        talk(device, accepted);
        close(accepted);
    }
    auto moved = halvm::process::open_console("3").value();
    auto device = std::move(moved);
    talk(device, inherited.ends[1]);

    const auto none = halvm::process::open_console("4");
    REQUIRE_FALSE(none);
    CHECK(none.error().message() ==
          "open a console: besides the first there are only 1 (tty) 2 (log) 3 (own): No such device");
    close(listening);
    unlink(place.c_str());
    CHECK(halvm::process::open_console("log").error() == std::make_error_code(std::errc::no_such_file_or_directory));
}

TEST_CASE("consoles of a process: what HALVM_CONSOLES cannot mean is refused with its part") {
    CHECK(halvm::process::parse_consoles("").value().empty());
    CHECK(halvm::process::parse_consoles("a=/x\\:y").value()[0].path == "/x:y");
    for (const char* wrong : {"a", "=x", "a=", "b=/x:a=/x:a=/y"})
        CHECK(halvm::process::parse_consoles(wrong).error() == std::make_error_code(std::errc::invalid_argument));
    CHECK(halvm::process::open_console("a").error().message() ==
          "open a console: this machine has only its first: No such device");
}

}  // namespace
