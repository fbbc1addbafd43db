// SPDX-License-Identifier: BSD-3-Clause
// The monotonic clock never goes back, sleeping is never early, and the wall clock runs with it. With `compare` on the
// command line the wall clock is also right to the second against another machine's, which is asked for at the console.
#include "report.hpp"

#include <halvm/program.hpp>
#include <halvm/time.hpp>

#include <chrono>
#include <cstdio>

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

    if (halvm::command_line() == "compare") {
        // The other machine's clock is read between the question and the answer.
        using seconds = std::chrono::duration<double>;
        const seconds asked = std::chrono::system_clock::now().time_since_epoch();
        std::puts("what time is it?");
        double told = 0;
        HALVM_CHECK(std::scanf("%lf", &told) == 1);
        const seconds answered = std::chrono::system_clock::now().time_since_epoch();
        std::printf("asked at %.3f, told %.3f, heard at %.3f\n", asked.count(), told, answered.count());
        HALVM_CHECK(told >= asked.count() - 1 && told <= answered.count() + 1);
    }
    return report::verdict("clock");
}
