// SPDX-License-Identifier: BSD-3-Clause
// The console of a process: a pair of file descriptors, those of stdio unless a test says otherwise.
#pragma once

#include <halvm/bytes.hpp>
#include <halvm/result.hpp>

#include <cstddef>

namespace halvm::process {

/// A Console on file descriptors, which it does not own: closing it leaves stdio working. It reads and writes
/// past stdio's buffers. A terminal turns '\n' into "\r\n" itself, so nothing is converted here.
class terminal_console {
public:
    /// Pre: `input` is open for reading and `output` for writing, as long as the console lives.
    terminal_console(int input, int output) noexcept : input_{input}, output_{output} {}

    terminal_console(terminal_console&&) noexcept = default;
    terminal_console& operator=(terminal_console&&) noexcept = default;

    /// Blocks the fiber while the other side takes nothing, whatever mode the descriptor is in.
    /// Errors: what write(2) says; std::errc::broken_pipe when the reader is gone and SIGPIPE is ignored.
    result<void> write(const_bytes out) noexcept;

    /// Blocks the fiber until there is a byte or the input ends. Errors: what read(2) says.
    result<std::size_t> read(bytes in) noexcept;

    /// Errors: what read(2) and poll(2) say.
    result<std::size_t> try_read(bytes in) noexcept;

private:
    int input_;
    int output_;
};

/// The console on standard input and output.
/// Errors: std::errc::no_such_device when the process was started with one of them closed.
result<terminal_console> open_console() noexcept;

}  // namespace halvm::process
