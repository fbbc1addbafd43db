// SPDX-License-Identifier: BSD-3-Clause
// What musl's stdio calls when a standard stream has to reach the console.
#pragma once

#include "libc/musl_layout.hpp"

namespace halvm::libc {

/// Writes what the stream holds and then `size` bytes more. Blocks until the console took them all; never fails.
std::size_t write_console(musl::file* stream, const unsigned char* text, std::size_t size) noexcept;

/// Reads a line as a terminal does (see console_line.hpp), after writing what stdout holds. Blocks until there is one.
std::size_t read_console(musl::file* stream, unsigned char* into, std::size_t size) noexcept;

/// A console has no positions: fails with ESPIPE.
long seek_console(musl::file* stream, long offset, int whence) noexcept;

/// Succeeds, and leaves the console open.
int close_console(musl::file* stream) noexcept;

}  // namespace halvm::libc
