// SPDX-License-Identifier: BSD-3-Clause
// The end of a program that found itself broken.
#pragma once

namespace halvm {

/// Prints the message and a backtrace and ends the program: a domain crashes, so that the toolstack's on_crash acts,
/// a process aborts.
[[noreturn]] void panic(const char* message) noexcept;

}  // namespace halvm
