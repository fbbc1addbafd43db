// SPDX-License-Identifier: BSD-3-Clause
// The machine counts nanoseconds in one number, POSIX in two.
#pragma once

#include "thread_machine.hpp"

#include <cstdint>
#include <ctime>
#include <limits>
#include <optional>

namespace halvm::libc {

inline constexpr std::uint64_t nanoseconds_per_second = 1'000'000'000;

constexpr timespec to_timespec(std::uint64_t nanoseconds) noexcept {
    return {.tv_sec = static_cast<std::time_t>(nanoseconds / nanoseconds_per_second),
            .tv_nsec = static_cast<long>(nanoseconds % nanoseconds_per_second)};
}

/// Nothing for a time that cannot be. What lies before 0 is 0, what is too far to be counted (584 years) the farthest.
constexpr std::optional<std::uint64_t> to_nanoseconds(const timespec& time) noexcept {
    if (time.tv_nsec < 0 || time.tv_nsec >= static_cast<long>(nanoseconds_per_second))
        return std::nullopt;
    if (time.tv_sec < 0)
        return 0;
    constexpr auto farthest = std::numeric_limits<std::uint64_t>::max();
    const auto seconds = static_cast<std::uint64_t>(time.tv_sec);
    if (seconds >= farthest / nanoseconds_per_second)
        return farthest;
    return seconds * nanoseconds_per_second + static_cast<std::uint64_t>(time.tv_nsec);
}

/// What `clock` shows; nothing when there is no such clock. One of each thread's own time there is not: threads are
/// fibers, and nobody counts while they run.
inline std::optional<std::uint64_t> clock_ns(clockid_t clock) noexcept {
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE: return wall_ns();
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME: return monotonic_ns();
    case CLOCK_PROCESS_CPUTIME_ID: return running_ns();
    default: return std::nullopt;
    }
}

}  // namespace halvm::libc
