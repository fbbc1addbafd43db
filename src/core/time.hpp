// SPDX-License-Identifier: BSD-3-Clause
// Time as Xen gives it: nanoseconds since Xen started, and the wall clock. [xen/xen.h: vcpu_time_info]
#pragma once

#include <cstdint>

namespace halvm::core {

/// Nanoseconds since Xen started; never goes back.
std::uint64_t monotonic_ns() noexcept;

/// Nanoseconds since the Unix epoch.
std::uint64_t wall_ns() noexcept;

/// Nanoseconds for which this domain's VCPU has run: not while it was blocked, and not while others had the processor.
std::uint64_t running_ns() noexcept;

/// Blocks until monotonic_ns() has reached `deadline`; never returns early.
void sleep_until_ns(std::uint64_t deadline) noexcept;

}  // namespace halvm::core
