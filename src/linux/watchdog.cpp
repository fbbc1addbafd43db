// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/fiber/scheduler.hpp>
#include <halvm/fiber/watchdog.hpp>

namespace halvm::fiber {

result<void> start_watchdog(std::chrono::nanoseconds limit) noexcept {
    if (limit <= limit.zero())
        return failure{error{std::make_error_code(std::errc::invalid_argument), "watch over fibers"}};
    this_scheduler().watch(static_cast<instant>(limit.count()));
    return {};
}

void stop_watchdog() noexcept { this_scheduler().watch(0); }

}  // namespace halvm::fiber
