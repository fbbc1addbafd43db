// SPDX-License-Identifier: BSD-3-Clause
// The console of a process: a pair of file descriptors, those of stdio unless a test says otherwise.
#pragma once

#include <halvm/bytes.hpp>
#include <halvm/device/console.hpp>
#include <halvm/fiber/mutex.hpp>
#include <halvm/result.hpp>

#include <cstddef>
#include <optional>

namespace halvm::process {

/// A Console on file descriptors, which it does not own: closing it leaves stdio working. It reads and writes
/// past stdio's buffers. A terminal turns '\n' into "\r\n" itself, so nothing is converted here.
class terminal_console {
public:
    /// Pre: `input` is open for reading and `output` for writing, as long as the console lives.
    terminal_console(int input, int output) noexcept : input_{input}, output_{output} {}

    /// Pre: no other fiber is inside one of `other`'s functions, nor of this one's.
    terminal_console(terminal_console&& other) noexcept : input_{other.input_}, output_{other.output_} {}
    terminal_console& operator=(terminal_console&& other) noexcept {
        input_ = other.input_;
        output_ = other.output_;
        return *this;
    }

    /// Blocks the fiber while the other side takes nothing, whatever mode the descriptor is in; all fibers, when it is
    /// a terminal in blocking mode that nobody reads, which says that it has room before it has.
    /// Errors: what write(2) says; std::errc::broken_pipe when the reader is gone, of a pipe if SIGPIPE is ignored;
    /// timed_out and operation_canceled by the limit.
    result<void> write(const_bytes out, const fiber::wait_limit& limit = {}) noexcept;

    /// Blocks the fiber until there is a byte or the input ends.
    /// Errors: what read(2) says; timed_out and operation_canceled by the limit.
    result<std::size_t> read(bytes in, const fiber::wait_limit& limit = {}) noexcept;

    /// Errors: what read(2) and poll(2) say.
    result<std::size_t> try_read(bytes in) noexcept;

    /// Of the terminal that is written to, now; nothing when it is none, or does not know. The kernel tells a process
    /// of a change by SIGWINCH, for which this library sets no handler. [man: ioctl_tty(2) TIOCGWINSZ]
    [[nodiscard]] std::optional<halvm::window_size> window_size() const noexcept;

private:
    int input_;
    int output_;
    fiber::mutex writing_;
};

/// The console on standard input and output.
/// Errors: std::errc::no_such_device when the process was started with one of them closed.
result<terminal_console> open_console() noexcept;

}  // namespace halvm::process
