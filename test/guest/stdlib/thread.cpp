// SPDX-License-Identifier: BSD-3-Clause
// feature: `std::thread`, `std::jthread`, `std::stop_token`, `std::async`: threads are fibers
#include "report.hpp"

#include <future>
#include <stop_token>
#include <system_error>
#include <thread>

int halvm_main() {
    int ran = 0;
    std::thread one{[&] { ++ran; }};
    HALVM_CHECK(ran == 0 && one.get_id() != std::this_thread::get_id());
    one.join();
    HALVM_CHECK(ran == 1);
    {
        std::jthread asked{[&](std::stop_token token) {
            while (!token.stop_requested())
                std::this_thread::yield();
            ++ran;
        }};
    }
    HALVM_CHECK(ran == 2);
    HALVM_CHECK(std::async(std::launch::async, [] { return 7; }).get() == 7);
    HALVM_CHECK(report::throws<std::system_error>([&] { one.join(); }));
    HALVM_CHECK(std::thread::hardware_concurrency() == 1);
    HALVM_CHECK(std::this_thread::get_id() != std::thread::id{});
    return report::verdict("thread");
}
