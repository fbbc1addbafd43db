// SPDX-License-Identifier: BSD-3-Clause
// HaLVM's LoopThreads: a few threads that each say hello again and again, with a pause in between.
#include "report.hpp"

#include <halvm/fiber.hpp>
#include <halvm/time.hpp>

#include <chrono>
#include <cstdio>
#include <vector>

using namespace std::chrono_literals;

int halvm_main() {
    std::vector<halvm::fiber::handle<int>> some;
    for (int number = 1; number != 5; ++number)
        some.push_back(halvm::fiber::spawn([number] {
            int round = 0;
            for (; round != 4; ++round) {
                std::printf("hello from %d: %d\n", number, round);
                halvm::sleep_for(number * 1ms);
            }
            return round;
        }));
    for (auto& one : some)
        HALVM_CHECK(one.join() == 4);
    return report::verdict("loop_threads");
}
