// SPDX-License-Identifier: BSD-3-Clause
// A fiber that keeps the processor: nothing can take it away, but the fiber can be named.
#pragma once

#include <halvm/result.hpp>

#include <chrono>

namespace halvm::fiber {

/// From now on each fiber that ran longer than `limit` without yielding or waiting is named, with the time, when it at
/// last yields, waits or ends. One that never does is the machine's business: a process names it once, with a
/// backtrace, while it runs on; a domain is ended by Xen, between one limit and two after the fiber began to run, the
/// limit rounded up to whole seconds, as the toolstack's on_watchdog says; tools/halvm then names the fiber. The time
/// in which every fiber waits does not count. [xen/sched.h: SCHEDOP_watchdog] Called again, it changes the limit.
/// Never blocks.
/// Errors: invalid_argument for a limit that is not above zero, and what the machine answers when it has no timer left.
result<void> start_watchdog(std::chrono::nanoseconds limit) noexcept;

/// Harmless when nothing is being watched.
void stop_watchdog() noexcept;

}  // namespace halvm::fiber
