// SPDX-License-Identifier: BSD-3-Clause
// The monotonic clock never goes back, sleeping is never early, and the wall clock runs with it. `now=SECONDS` on the
// command line is what the wall clock of another machine said at most a minute ago.
#include "report.hpp"

#include <halvm/time.hpp>

#include <chrono>
#include <cstdlib>

using namespace std::chrono_literals;

int halvm_main() {
    auto last = halvm::clock::now();
    bool forward = true;
    for (int i = 0; i < 100'000; ++i) {
        const auto now = halvm::clock::now();
        forward = forward && now >= last;
        last = now;
    }
    HALVM_CHECK(forward);

    for (const std::chrono::nanoseconds nap :
         std::initializer_list<std::chrono::nanoseconds>{0ns, 1ns, 1us, 100us, 1ms, 20ms}) {
        const auto before = halvm::clock::now();
        halvm::sleep_for(nap);
        HALVM_CHECK(halvm::clock::now() - before >= nap);
    }
    halvm::sleep_for(-1s);
    halvm::sleep_until(halvm::clock::time_point{});

    const auto wall = std::chrono::system_clock::now();
    const auto steady = std::chrono::steady_clock::now();
    const auto own = halvm::clock::now();
    halvm::sleep_for(50ms);
    const auto own_passed = halvm::clock::now() - own;
    const auto steady_passed = std::chrono::steady_clock::now() - steady;
    const auto wall_passed = std::chrono::system_clock::now() - wall;
    // Each span lies within the one before it.
    HALVM_CHECK(own_passed >= 50ms);
    HALVM_CHECK(wall_passed >= steady_passed && steady_passed >= own_passed);

    if (const char* now = std::getenv("now")) {
        const auto seconds =
            std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
                .count() -
            std::atoll(now);
        std::printf("%lld s after the other clock\n", static_cast<long long>(seconds));
        HALVM_CHECK(seconds >= -1 && seconds <= 60);
    }
    return report::verdict("clock");
}
