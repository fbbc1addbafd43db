// SPDX-License-Identifier: BSD-3-Clause
// The front door to time: a monotonic clock and sleeping. The wall clock is std::chrono::system_clock.
#pragma once

#include <halvm/device/clock.hpp>
#include <halvm/machine.hpp>

#include <chrono>

namespace halvm {

/// The machine's monotonic clock; nanoseconds, never goes back. Reading it never blocks.
using clock = machine::clock;
static_assert(Clock<clock>);

/// Blocks until `deadline` has been reached; returns at once when it is in the past, never early.
inline void sleep_until(clock::time_point deadline) { machine::sleep_until(deadline); }

/// Blocks for at least `duration`; not at all when it is zero or negative. A duration too long for the clock
/// (about 292 years) sleeps for ever.
template <class Rep, class Period>
void sleep_for(std::chrono::duration<Rep, Period> duration) {
    using namespace std::chrono;
    if (!(duration > duration.zero()))  // no number is not a time to wait either
        return;
    const auto now = clock::now();
    const auto longest = clock::time_point::max() - now;
    // Compared as seconds in floating point, because the conversion to nanoseconds is what might overflow.
    if (duration_cast<std::chrono::duration<double>>(duration) >= std::chrono::duration<double>(longest))
        halvm::sleep_until(clock::time_point::max());
    else
        halvm::sleep_until(now + ceil<clock::duration>(duration));
}

}  // namespace halvm
