// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/fiber/turn.hpp>
#include <halvm/linux/readiness.hpp>
#include <halvm/linux/terminal_console.hpp>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>

namespace halvm::process {
namespace {

failure failed(const char* attempted) noexcept {
    return failure{error{std::make_error_code(std::errc{errno}), attempted}};
}

/// Returns once a call on the descriptor would do so at once.
result<void> await(int descriptor, direction which, const fiber::wait_limit& limit, const char* attempted) noexcept {
    pollfd asked{
        .fd = descriptor, .events = static_cast<short>(which == direction::read ? POLLIN : POLLOUT), .revents = 0};
    if (poll(&asked, 1, 0) != 0)
        return {};
    const auto how = wait_ready(descriptor, which, limit);
    if (!how)
        return failure(how.error());
    if (*how != fiber::wake::signalled)
        return fiber::detail::gave_up(*how, attempted);
    return {};
}

/// write(2), but for a socket whose other end is gone no signal comes.
ssize_t put(int descriptor, const_bytes out) noexcept {
    const ssize_t sent = send(descriptor, out.data(), out.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent < 0 && errno == ENOTSOCK ? ::write(descriptor, out.data(), out.size()) : sent;
}

// A pipe that is ready takes this much without blocking, whatever mode the descriptor is in. The mode is not ours to
// change: others share it.
constexpr std::size_t piece = PIPE_BUF;

/// A descriptor can be non-blocking because another process that shares it made it so.
bool would_block() noexcept { return errno == EAGAIN || errno == EWOULDBLOCK; }

}  // namespace

result<void> terminal_console::write(const_bytes out, const fiber::wait_limit& limit) noexcept {
    constexpr auto attempted = "write to the console";
    if (out.empty())
        return {};
    const auto turn = fiber::take_turn(writing_, limit, attempted);
    if (!turn)
        return failure(turn.error());
    while (!out.empty()) {
        if (auto waited = await(output_, direction::write, limit, attempted); !waited)
            return waited;
        const ssize_t written = put(output_, out.first(std::min(out.size(), piece)));
        if (written >= 0)
            out = out.subspan(static_cast<std::size_t>(written));
        else if (would_block())
            fiber::this_scheduler().yield();  // a terminal says that it has room before it has
        else if (errno != EINTR)
            return failed(attempted);
    }
    return {};
}

result<std::size_t> terminal_console::read(bytes in, const fiber::wait_limit& limit) noexcept {
    constexpr auto attempted = "read from the console";
    if (in.empty())
        return 0;
    for (;;) {
        if (const auto waited = await(input_, direction::read, limit, attempted); !waited)
            return failure(waited.error());
        const ssize_t count = ::read(input_, in.data(), in.size());
        if (count >= 0)
            return static_cast<std::size_t>(count);
        if (!would_block() && errno != EINTR)
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

std::optional<halvm::window_size> terminal_console::window_size() const noexcept {
    winsize found{};
    if (ioctl(output_, TIOCGWINSZ, &found) != 0 || found.ws_col == 0 || found.ws_row == 0)
        return std::nullopt;
    return halvm::window_size{.columns = found.ws_col, .rows = found.ws_row};
}

result<terminal_console> open_console() noexcept {
    for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO})
        if (fcntl(descriptor, F_GETFD) < 0)
            return failure{error{std::make_error_code(std::errc::no_such_device), "open the console"}};
    return terminal_console{STDIN_FILENO, STDOUT_FILENO};
}

}  // namespace halvm::process
