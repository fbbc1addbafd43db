// SPDX-License-Identifier: BSD-3-Clause
// The scheduler's clock as a std::chrono clock, limits of waits in its terms, and sleeping.
#pragma once

#include <halvm/device/clock.hpp>
#include <halvm/fiber/scheduler.hpp>

#include <chrono>

namespace halvm::fiber {

/// Monotonic nanoseconds of the machine, or of the clock that a test moves by hand.
struct clock {
    using duration = std::chrono::nanoseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<clock>;
    static constexpr bool is_steady = true;

    static time_point now() noexcept { return time_point{duration{static_cast<rep>(this_scheduler().now())}}; }
};
static_assert(Clock<clock>);

/// The instant `duration` from now: now for a negative one, never for one that the clock cannot count.
template <class Rep, class Period>
instant instant_after(std::chrono::duration<Rep, Period> duration) noexcept {
    using namespace std::chrono;
    const auto now = this_scheduler().now();
    if (duration <= duration.zero())
        return now;
    // Compared in floating point, because the conversion to nanoseconds is what might overflow; turned round, because
    // what is not a number is not less.
    if (!(duration_cast<std::chrono::duration<double, std::nano>>(duration).count() < 9e18))
        return never;
    const auto count = static_cast<instant>(ceil<nanoseconds>(duration).count());
    return count < never - now ? now + count : never;
}

/// Waits until then, for so long, until asked to stop, or whichever of two comes first. Any steady clock will do.
template <class Steady, class Duration>
wait_limit until(std::chrono::time_point<Steady, Duration> when, std::stop_token stop = {}) noexcept {
    static_assert(Steady::is_steady, "a deadline is a point of a clock that nobody sets");
    const auto now = Steady::now();
    return {when <= now ? this_scheduler().now() : instant_after(when - now), std::move(stop)};
}
template <class Rep, class Period>
wait_limit within(std::chrono::duration<Rep, Period> duration, std::stop_token stop = {}) noexcept {
    return {instant_after(duration), std::move(stop)};
}

/// Blocks until the limit comes; false when a stop was asked for before its deadline. Never early.
inline bool sleep(const wait_limit& limit) noexcept {
    wait_queue nobody{"time"};
    return this_scheduler().wait(nobody, limit) != wake::stopped;
}

}  // namespace halvm::fiber
