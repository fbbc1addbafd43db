// SPDX-License-Identifier: BSD-3-Clause
// The process's time: CLOCK_MONOTONIC, which is what std::chrono::steady_clock reads.
#pragma once

#include <chrono>

// Not named after its folder, because `linux` is a macro of g++'s default language mode.
namespace halvm::process {

using clock = std::chrono::steady_clock;

/// Blocks the thread until `deadline`; never returns early, signals or not.
void sleep_until(clock::time_point deadline) noexcept;

}  // namespace halvm::process
