// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/linux/terminal_console.hpp>

#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <system_error>
#include <unistd.h>

namespace halvm::process {
namespace {

failure failed(const char* attempted) noexcept {
    return failure{error{std::make_error_code(std::errc{errno}), attempted}};
}

/// Waits until `descriptor` is ready or has failed, which the next call on it then reports.
/// Returns false when poll() itself fails.
bool wait_until_ready(int descriptor, short events) noexcept {
    pollfd waiting{.fd = descriptor, .events = events, .revents = 0};
    int ready;
    do {
        ready = poll(&waiting, 1, -1);
    } while (ready < 0 && errno == EINTR);
    return ready > 0;
}

/// A descriptor can be non-blocking because another process that shares it made it so.
bool would_block() noexcept { return errno == EAGAIN || errno == EWOULDBLOCK; }

}  // namespace

result<void> terminal_console::write(const_bytes out) noexcept {
    constexpr auto attempted = "write to the console";
    while (!out.empty()) {
        const ssize_t written = ::write(output_, out.data(), out.size());
        if (written >= 0)
            out = out.subspan(static_cast<std::size_t>(written));
        else if (would_block()) {
            if (!wait_until_ready(output_, POLLOUT))
                return failed(attempted);
        } else if (errno != EINTR)
            return failed(attempted);
    }
    return {};
}

result<std::size_t> terminal_console::read(bytes in) noexcept {
    constexpr auto attempted = "read from the console";
    if (in.empty())
        return 0;
    for (;;) {
        const ssize_t count = ::read(input_, in.data(), in.size());
        if (count >= 0)
            return static_cast<std::size_t>(count);
        if (would_block()) {
            if (!wait_until_ready(input_, POLLIN))
                return failed(attempted);
        } else if (errno != EINTR)
            return failed(attempted);
    }
}

result<std::size_t> terminal_console::try_read(bytes in) noexcept {
    constexpr auto attempted = "look for input on the console";
    if (in.empty())
        return 0;
    for (;;) {
        pollfd asked{.fd = input_, .events = POLLIN, .revents = 0};
        const int ready = poll(&asked, 1, 0);
        if (ready == 0)
            return 0;
        if (ready > 0) {
            const ssize_t count = ::read(input_, in.data(), in.size());
            if (count >= 0)
                return static_cast<std::size_t>(count);
            if (would_block())
                return 0;
        }
        if (errno != EINTR)
            return failed(attempted);
    }
}

result<terminal_console> open_console() noexcept {
    for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO})
        if (fcntl(descriptor, F_GETFD) < 0)
            return failure{error{std::make_error_code(std::errc::no_such_device), "open the console"}};
    return terminal_console{STDIN_FILENO, STDOUT_FILENO};
}

}  // namespace halvm::process
