// SPDX-License-Identifier: BSD-3-Clause
// The end of a program that cannot go on: says what happened and where, then SHUTDOWN_crash.
#pragma once

#include <cstdarg>
#include <cstdint>

namespace halvm::core {

/// Prints "halvm: panic: " and the message, a backtrace with function names, and crashes the domain, so that
/// the toolstack's on_crash acts. `format` knows %s %c %d %u %x %p %%, and l or z before d, u and x.
[[noreturn, gnu::format(printf, 1, 2)]] void panic(const char* format, ...) noexcept;

/// The same for a fault at the instruction `where`: the backtrace begins there, and `print` shows the state, the
/// registers for example, before it.
[[noreturn]] void panic_at(std::uintptr_t where, const char* message, void (*print)(const void* state),
                           const void* state) noexcept;

}  // namespace halvm::core
