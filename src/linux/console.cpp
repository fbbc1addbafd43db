// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/linux/readiness.hpp>
#include <halvm/linux/terminal_console.hpp>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <fcntl.h>
#include <poll.h>
#include <system_error>
#include <unistd.h>

namespace halvm::process {
namespace {

failure failed(const char* attempted) noexcept {
    return failure{error{std::make_error_code(std::errc{errno}), attempted}};
}

/// Whether a call on the descriptor would return at once.
bool ready(int descriptor, short events) noexcept {
    pollfd asked{.fd = descriptor, .events = events, .revents = 0};
    return poll(&asked, 1, 0) != 0;
}

// A pipe that is ready takes this much without blocking, whatever mode the descriptor is in. The mode is not ours to
// change: others share it.
constexpr std::size_t piece = PIPE_BUF;

/// A descriptor can be non-blocking because another process that shares it made it so.
bool would_block() noexcept { return errno == EAGAIN || errno == EWOULDBLOCK; }

}  // namespace

result<void> terminal_console::write(const_bytes out) noexcept {
    while (!out.empty()) {
        if (!ready(output_, POLLOUT))
            if (const auto how = wait_ready(output_, direction::write); !how)
                return failure(how.error());
        const ssize_t written = ::write(output_, out.data(), std::min(out.size(), piece));
        if (written >= 0)
            out = out.subspan(static_cast<std::size_t>(written));
        else if (!would_block() && errno != EINTR)
            return failed("write to the console");
    }
    return {};
}

result<std::size_t> terminal_console::read(bytes in) noexcept {
    if (in.empty())
        return 0;
    for (;;) {
        if (!ready(input_, POLLIN))
            if (const auto how = wait_ready(input_, direction::read); !how)
                return failure(how.error());
        const ssize_t count = ::read(input_, in.data(), in.size());
        if (count >= 0)
            return static_cast<std::size_t>(count);
        if (!would_block() && errno != EINTR)
            return failed("read from the console");
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
