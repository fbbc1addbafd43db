// SPDX-License-Identifier: BSD-3-Clause
#include "libc/thread/deadline.hpp"

#include "libc/time/timespec.hpp"

namespace halvm::libc {
namespace {

bool is_wall(clockid_t clock) noexcept { return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE; }

}  // namespace

deadline::deadline(clockid_t clock, const timespec& when) noexcept : wall_{is_wall(clock)} {
    const auto nanoseconds = to_nanoseconds(when);
    valid_ = nanoseconds && (wall_ || clock_ns(clock));
    when_ = nanoseconds.value_or(never);
}

deadline deadline::after(const timespec& duration) noexcept {
    deadline made{CLOCK_MONOTONIC, duration};
    made.valid_ = made.valid_ && duration.tv_sec >= 0;
    const auto now = monotonic_ns();
    made.when_ = made.when_ < never - now ? now + made.when_ : never;
    return made;
}

std::uint64_t deadline::left() const noexcept {
    const std::uint64_t now = wall_ ? wall_ns() : monotonic_ns();
    return when_ > now ? when_ - now : 0;
}

std::uint64_t deadline::instant() const noexcept {
    if (when_ == never)
        return never;
    const std::uint64_t rest = left();
    const std::uint64_t now = monotonic_ns();
    return rest < never - now ? now + rest : never;
}

}  // namespace halvm::libc
