// SPDX-License-Identifier: BSD-3-Clause
// HaLVM's Time: what the clocks show, and that sleeping fibers wake in the order of their deadlines, never early.
#include "report.hpp"

#include <halvm/fiber.hpp>
#include <halvm/time.hpp>

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <ctime>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

int halvm_main() {
    const std::time_t now = std::time(nullptr);
    std::printf("it is %s", std::asctime(std::gmtime(&now)));

    std::string order;
    for (bool late = true; late;) {
        order.clear();
        const auto begin = steady::now();
        std::vector<std::jthread> some;
        for (const int ms : {40, 10, 30, 20})
            some.emplace_back([&order, ms, deadline = begin + ms * 1ms] {
                std::this_thread::sleep_until(deadline);
                HALVM_CHECK(steady::now() >= deadline);
                order += static_cast<char>('0' + ms / 10);
            });
        std::this_thread::yield();
        late = !order.empty();  // The machine was slow, and one did not sleep before its time, or another's, had come.
    }
    HALVM_CHECK(order == "1234");

    const auto before = steady::now();
    const auto wall_before = std::chrono::system_clock::now();
    std::this_thread::sleep_until(before + 5ms);
    std::this_thread::sleep_until(std::chrono::system_clock::now() + 5ms);
    usleep(5000);
    halvm::sleep_for(5ms);
    HALVM_CHECK(halvm::fiber::sleep(halvm::fiber::within(5ms)));
    HALVM_CHECK(steady::now() - before >= 25ms && std::chrono::system_clock::now() - wall_before >= 20ms);

    // Times that lie behind do not let others run, and cannot fail.
    std::this_thread::sleep_for(-1s);
    std::this_thread::sleep_until(steady::time_point{});
    return report::verdict("time");
}
