// SPDX-License-Identifier: BSD-3-Clause
// The system console, which stdio, the front door `halvm::open_console()` and panics share: Xen's console
// ring, or the hypervisor's own console when the program runs as dom0.
#pragma once

#include <cstddef>
#include <string_view>

namespace halvm::core {

/// Writes all of `text`; each '\n' goes out as "\r\n". Blocks while the ring is full.
void console_write(const char* text, std::size_t size) noexcept;

/// Reads at least one byte into `into`; blocks until there is one. Returns how many; 0 only when `size` is 0.
std::size_t console_read(char* into, std::size_t size) noexcept;

/// Reads what is there; 0 when there is nothing. Never blocks.
std::size_t console_try_read(char* into, std::size_t size) noexcept;

/// Binds its port, which is otherwise done when first waited for.
void console_bind() noexcept;

/// For panics: polls, allocates nothing, and gives up when the other side stays silent for about a second.
void console_emergency(std::string_view text) noexcept;

/// Waits, polling and for about a second at most, until the other side took everything that was written.
void console_drain() noexcept;

}  // namespace halvm::core
