// SPDX-License-Identifier: BSD-3-Clause
#include "signals.hpp"

#include <halvm/device/clock.hpp>
#include <halvm/linux/clock.hpp>

#include <doctest/doctest.h>

namespace {

using namespace std::chrono_literals;
namespace process = halvm::process;

static_assert(halvm::Clock<process::clock>);

TEST_CASE("process clock: a deadline in the past, or before the clock began, does not block") {
    // Else this does not end.
    process::sleep_until(process::clock::now() - 1h);
    process::sleep_until(process::clock::time_point{-1ns});
    process::sleep_until(process::clock::time_point::min());
}

TEST_CASE("process clock: sleep_until never returns early, however many signals come") {
    const halvm::test::signal_every signals{1ms};
    const auto deadline = process::clock::now() + 50ms;
    process::sleep_until(deadline);
    CHECK(process::clock::now() >= deadline);
    CHECK(signals.count() > 0);
}

}  // namespace
