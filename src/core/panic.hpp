// SPDX-License-Identifier: BSD-3-Clause
// The end of a program that cannot go on: says what happened and where, then SHUTDOWN_crash.
#pragma once

#include <cstdarg>
#include <cstdint>

namespace halvm::core {

/// Prints "halvm: panic: " and the message, a backtrace with function names, and crashes the domain, so that
/// the toolstack's on_crash acts. `format` knows %s %c %d %u %x %p %%, and l or z before d, u and x.
[[noreturn, gnu::format(printf, 1, 2)]] void panic(const char* format, ...) noexcept;

/// The same for a panic whose machine state is known: `registers` is printed before the backtrace by `print`.
[[noreturn]] void panic_with(void (*print)(const void* state), const void* state, const char* message) noexcept;

}  // namespace halvm::core
