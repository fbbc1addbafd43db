// SPDX-License-Identifier: BSD-3-Clause
#pragma once

namespace halvm::process {

/// Makes the scheduler of the calling thread, which becomes its first fiber.
void fibers_start();

/// Says once, on standard error, which thread_local variables the program has, if it has any.
void thread_locals_report();

/// Gives signal handlers a stack of their own, and names the fiber that overruns its stack.
void handlers_start() noexcept;

/// From now on a thread that the program makes is a fiber of it.
void threads_start() noexcept;

}  // namespace halvm::process
