// SPDX-License-Identifier: BSD-3-Clause
// The console's bytes are those of a terminal in raw mode: whoever types sees nothing unless it is sent back, and Enter
// is a carriage return. This makes lines of them for stdin.
#pragma once

#include <cstddef>
#include <span>

namespace halvm::libc {

/// Reads a line with its newline, echoing it. Backspace takes back a character, ^U the line. Ends early when `line` is
/// full or at ^D; 0 bytes mean ^D at the start of a line, the end of the input. Blocks.
std::size_t read_console_line(std::span<unsigned char> line) noexcept;

}  // namespace halvm::libc
