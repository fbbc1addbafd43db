// SPDX-License-Identifier: BSD-3-Clause
// Xen's time as a std::chrono clock. [xen/xen.h: vcpu_time_info]
#pragma once

#include <chrono>

namespace halvm::xen {

/// Nanoseconds since Xen started.
struct clock {
    using duration = std::chrono::nanoseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<clock>;
    static constexpr bool is_steady = true;

    static time_point now() noexcept;
};

/// Blocks the calling fiber until `deadline`; never returns early.
void sleep_until(clock::time_point deadline) noexcept;

}  // namespace halvm::xen
