// SPDX-License-Identifier: BSD-3-Clause
// feature: starting a `std::thread`
// status: throws
// detail: `std::system_error`, `resource_unavailable_try_again`; `std::async` calls when its result is asked for
#include "report.hpp"

#include <future>
#include <system_error>
#include <thread>

int halvm_main() {
    bool started = false;
    try {
        std::thread never{[] {}};
        started = true;
        never.join();
    } catch (const std::system_error& error) {
        HALVM_CHECK(error.code() == std::errc::resource_unavailable_try_again);
    }
    HALVM_CHECK(!started);
    HALVM_CHECK(report::throws<std::system_error>([] { std::jthread never{[] {}}; }));
    HALVM_CHECK(
        report::throws<std::system_error>([] { std::ignore = std::async(std::launch::async, [] { return 1; }); }));
    HALVM_CHECK(std::async([] { return 7; }).get() == 7);
    HALVM_CHECK(std::thread::hardware_concurrency() == 1);
    HALVM_CHECK(std::this_thread::get_id() != std::thread::id{});
    return report::verdict("thread");
}
