// SPDX-License-Identifier: BSD-3-Clause
// HaLVM's SimplerTime: the time of day, once more after a pause, and how much of it went by.
#include "report.hpp"

#include <halvm/time.hpp>

#include <chrono>
#include <cstdio>
#include <ctime>

using namespace std::chrono_literals;
using wall = std::chrono::system_clock;

namespace {

void say(wall::time_point when) {
    const std::time_t seconds = wall::to_time_t(when);
    char text[32];
    HALVM_CHECK(std::strftime(text, sizeof text, "%F %T", std::gmtime(&seconds)) == 19);
    std::printf("it is %s\n", text);
}

}  // namespace

int halvm_main() {
    const auto before = wall::now();
    say(before);
    HALVM_CHECK(before > wall::from_time_t(1'600'000'000));
    halvm::sleep_for(20ms);
    const auto after = wall::now();
    say(after);
    HALVM_CHECK(after - before >= 20ms);
    return report::verdict("simpler_time");
}
