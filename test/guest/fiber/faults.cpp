// SPDX-License-Identifier: BSD-3-Clause
// What goes wrong in a fiber and ends the program. Run with the name of the fault.
#include "recursion.hpp"

#include <halvm/fiber.hpp>
#include <halvm/program.hpp>

#include <cstdlib>
#include <stdexcept>
#include <string_view>
#include <thread>
#include <vector>

using halvm::test::recurse;

int halvm_main() {
    const std::string_view what = halvm::arguments()[0];
    if (what == "uncaught")
        std::thread{[] { throw std::runtime_error{"nobody catches this"}; }}.join();
    if (what == "packed")
        halvm::fiber::spawn(
            [] {
                // A little too deep: far enough for the lowest words, and no neighbour's stack is needed again.
                recurse(40);
                halvm::fiber::yield();
            },
            {.name = "deep", .stack = 8192, .guarded = false})
            .join();
    if (what == "guarded")
        halvm::fiber::spawn([] { recurse(100'000); }, {.name = "deep", .stack = 16384}).join();
    if (what == "many") {
        std::vector<halvm::fiber::handle<void>> some;
        halvm::fiber::event never;
        for (int i = 0; i != 101; ++i)
            some.push_back(halvm::fiber::spawn([&] { never.wait(); }, {.stack = 8192, .guarded = false}));
        halvm::fiber::yield();
        std::abort();
    }
    return 0;
}
