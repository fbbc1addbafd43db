// SPDX-License-Identifier: BSD-3-Clause
// feature: `<chrono>` clocks and calendar, `std::this_thread::sleep_for`
#include "report.hpp"

#include <chrono>
#include <ctime>
#include <thread>

#include <sys/time.h>

using namespace std::chrono;

int halvm_main() {
    // Each span lies within the one before it.
    const auto steady = steady_clock::now();
    const auto wall = system_clock::now();
    const auto inner = steady_clock::now();
    std::this_thread::sleep_for(50ms);
    const auto slept = steady_clock::now() - inner;
    const auto passed = system_clock::now() - wall;
    const auto outer = steady_clock::now() - steady;
    HALVM_CHECK(slept >= 50ms && passed >= slept && outer >= passed);
    std::this_thread::sleep_until(steady_clock::now() + 10ms);
    std::this_thread::sleep_until(system_clock::now() + 10ms);
    std::this_thread::yield();
    HALVM_CHECK(steady_clock::now() - steady >= 70ms);

    // Nobody starts a domain before this was written, nor when its clock is broken.
    HALVM_CHECK(wall > sys_days{2025y / 1 / 1} && wall < sys_days{2100y / 1 / 1});
    const std::time_t whole = std::time(nullptr);
    timeval micro = {};
    gettimeofday(&micro, nullptr);
    HALVM_CHECK(system_clock::to_time_t(wall) <= whole && whole <= micro.tv_sec);
    HALVM_CHECK(micro.tv_sec <= system_clock::to_time_t(system_clock::now()));
    timespec resolution = {};
    HALVM_CHECK(clock_getres(CLOCK_MONOTONIC, &resolution) == 0 && resolution.tv_nsec > 0);
    HALVM_CHECK(clock_gettime(12345, &resolution) == -1);

    for (int i = 0; i != 1000; ++i) {
        const auto first = steady_clock::now();
        HALVM_CHECK(steady_clock::now() >= first);
    }

    constexpr year_month_day leap_day = sys_days{2024y / February / std::chrono::last};
    static_assert(unsigned{leap_day.day()} == 29);
    HALVM_CHECK(weekday{sys_days{2026y / 11 / 23}} == Monday);
    HALVM_CHECK(duration_cast<hours>(36h + 30min).count() == 36 && floor<days>(36h).count() == 1);
    return report::verdict("chrono");
}
