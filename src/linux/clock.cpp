// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/linux/clock.hpp>

#include <cerrno>
#include <ctime>

namespace halvm::process {

void sleep_until(clock::time_point deadline) noexcept {
    using namespace std::chrono;
    const auto since_boot = deadline.time_since_epoch();
    const auto whole = duration_cast<seconds>(since_boot);
    const timespec at{.tv_sec = whole.count(), .tv_nsec = nanoseconds{since_boot - whole}.count()};
    // A time before the clock's beginning is refused, with EINVAL, and so does not block either.
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr) == EINTR) {}
}

}  // namespace halvm::process
