// SPDX-License-Identifier: BSD-3-Clause
// Fibers that keep the processor, and the watchdog over them. Run with the name of what happens.
#include "report.hpp"

#include <halvm/console.hpp>
#include <halvm/fiber.hpp>
#include <halvm/program.hpp>
#include <halvm/time.hpp>

#include <chrono>
#include <cstdio>
#include <string_view>

using namespace std::chrono_literals;
namespace fiber = halvm::fiber;

namespace {

// Says so through code that can be unwound, unlike the C library's: the interrupt may come at once.
[[gnu::noinline]] void keep_the_processor(std::chrono::nanoseconds how_long, const char* words = nullptr) {
    if (words != nullptr)
        HALVM_CHECK(halvm::open_console().value().print(words));
    for (const auto begin = halvm::clock::now(); halvm::clock::now() - begin < how_long;)
        for (volatile int i = 0; i != 10'000;)  // reading the clock is slow to emulate
            i = i + 1;
}

void greedy() { keep_the_processor(24h, "no end in sight\n"); }

// Whoever gives way in time, waits, or is not watched, may go on for longer than any limit.
void lives() {
    HALVM_CHECK(fiber::start_watchdog(1s));
    for (int i = 0; i != 21; ++i) {
        keep_the_processor(100ms);
        fiber::yield();
    }
    halvm::sleep_for(10s);
    HALVM_CHECK(fiber::start_watchdog(900ms));  // again
    halvm::sleep_for(10s);
    fiber::stop_watchdog();
    fiber::stop_watchdog();
    keep_the_processor(2100ms);
    HALVM_CHECK(!fiber::start_watchdog(0s));
    HALVM_CHECK(!fiber::start_watchdog(-1s));
    // Whoever is late, but not twice as late, is named.
    HALVM_CHECK(fiber::start_watchdog(100ms));
    fiber::spawn([] { keep_the_processor(200ms); }, {.name = "late"}).join();
}

}  // namespace

int halvm_main() {
    const std::string_view what = halvm::arguments()[0];
    if (what == "lives")
        lives();
    if (what == "ended") {
        HALVM_CHECK(fiber::start_watchdog(1s));
        fiber::spawn(greedy, {.name = "greedy"}).join();
    }
    if (what == "spins")
        fiber::spawn(greedy, {.name = "greedy"}).join();
    if (what == "waits") {
        std::printf("no end in sight\n");
        fiber::spawn([] { halvm::sleep_for(24h); }, {.name = "patient"}).join();
    }
    return report::verdict("hung");
}
