// SPDX-License-Identifier: BSD-3-Clause
// A fiber that keeps the processor. Run with `ever`, or `long` to give way at last.
#include "report.hpp"

#include <halvm/fiber.hpp>
#include <halvm/program.hpp>

#include <chrono>
#include <string_view>
#include <system_error>

using namespace std::chrono_literals;
namespace fiber = halvm::fiber;

int halvm_main() {
    const auto refused = fiber::start_watchdog(0ns);
    HALVM_CHECK(!refused && refused.error() == std::make_error_code(std::errc::invalid_argument));
    fiber::stop_watchdog();
    HALVM_CHECK(fiber::start_watchdog(1h).has_value());
    HALVM_CHECK(fiber::start_watchdog(20ms).has_value());
    const bool ends = halvm::arguments()[0] == std::string_view{"long"};
    auto busy = fiber::spawn(
        [ends] {
            const auto until = std::chrono::steady_clock::now() + 100ms;
            while (!ends || std::chrono::steady_clock::now() < until) {}
        },
        {.name = "busy", .stack = 4096, .guarded = false});
    busy.join();
    fiber::stop_watchdog();
    return report::verdict("hung");
}
