// SPDX-License-Identifier: BSD-3-Clause
// <future>: std::async, std::promise, std::packaged_task, std::shared_future.
#include "report.hpp"

#include <chrono>
#include <future>
#include <stdexcept>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

int halvm_main() {
    auto seven = std::async(std::launch::async, [] {
        std::this_thread::sleep_for(5ms);
        return 7;
    });
    HALVM_CHECK(seven.wait_for(0ms) == std::future_status::timeout);
    HALVM_CHECK(seven.wait_for(1h) == std::future_status::ready && seven.get() == 7);
    HALVM_CHECK(std::async([] { return 8; }).get() == 8);
    auto thrower = std::async(std::launch::async, [] { throw std::runtime_error{"thrown"}; });
    HALVM_CHECK(report::throws<std::runtime_error>([&] { thrower.get(); }));

    std::promise<int> promise;
    const std::shared_future<int> shared = promise.get_future().share();
    int sum = 0;
    {
        std::vector<std::jthread> some;
        for (int i = 0; i != 5; ++i)
            some.emplace_back([&sum, shared] { sum += shared.get(); });
        std::this_thread::yield();
        promise.set_value(3);
    }
    HALVM_CHECK(sum == 15);

    std::packaged_task<int(int)> task{[](int value) { return value * 2; }};
    auto doubled = task.get_future();
    std::thread{std::move(task), 21}.join();
    HALVM_CHECK(doubled.get() == 42);

    std::future<void> abandoned;
    {
        std::promise<void> gone;
        abandoned = gone.get_future();
    }
    HALVM_CHECK(report::throws<std::future_error>([&] { abandoned.get(); }));

    std::promise<void> at_exit;
    auto ended = at_exit.get_future();
    std::thread{[&] { at_exit.set_value_at_thread_exit(); }}.detach();
    ended.get();
    HALVM_CHECK(ended.valid() == false);
    return report::verdict("results");
}
