// SPDX-License-Identifier: BSD-3-Clause
// The scheduler's side of <halvm/linux/readiness.hpp>.
#pragma once

#include <halvm/fiber/timers.hpp>

namespace halvm::process {

/// True when a fiber waits for a descriptor: the process then has to sleep in readiness_wait().
bool readiness_awaited() noexcept;

/// Wakes the fibers whose descriptors have become ready. Never blocks.
void readiness_poll() noexcept;

/// The same, once one is ready or `deadline` of the scheduler's clock has come.
void readiness_wait(fiber::instant now, fiber::instant deadline) noexcept;

}  // namespace halvm::process
