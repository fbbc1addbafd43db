// SPDX-License-Identifier: BSD-3-Clause
// As many fibers as a process can have, and one more. Exits with 77 where the kernel allows far more than a test can
// make.
#include "report.hpp"

#include <halvm/fiber.hpp>

#include <chrono>
#include <cstdio>
#include <new>
#include <vector>

using namespace std::chrono_literals;
namespace fiber = halvm::fiber;

namespace {

void many_sleep() {
    constexpr int count = 20'000;
    int awake = 0;
    int early = 0;
    for (int i = 0; i != count; ++i)
        fiber::spawn(
            [&awake, &early, wait = 20ms + i % 50 * 1ms] {
                const auto before = std::chrono::steady_clock::now();
                fiber::sleep(fiber::within(wait));
                early += std::chrono::steady_clock::now() - before < wait;
                ++awake;
            },
            {.stack = 2048, .guarded = false})
            .detach();
    while (awake != count)
        fiber::sleep(fiber::within(10ms));
    HALVM_CHECK(early == 0);
}

void until_refused() {
    fiber::event go;
    std::vector<fiber::handle<void>> some;
    bool refused = false;
    while (!refused) {
        try {
            some.push_back(fiber::spawn([&] { go.wait(); }, {.stack = 4096}));
        } catch (const std::bad_alloc&) {
            refused = true;
        }
    }
    HALVM_CHECK(some.size() >= 32'000);
    fiber::yield();
    // A packed stack needs no mapping of its own, and what was given back is there for others.
    go.set();
    for (auto& one : some)
        one.join();
    fiber::spawn([] {}, {.stack = 4096}).join();
}

}  // namespace

int halvm_main() {
    long most = 0;
    std::FILE* const file = std::fopen("/proc/sys/vm/max_map_count", "r");
    HALVM_CHECK(file != nullptr && std::fscanf(file, "%ld", &most) == 1);
    many_sleep();
    if (most > 100'000) {
        std::printf("vm.max_map_count is %ld\n", most);
        return 77;
    }
    until_refused();
    return report::verdict("limits");
}
