// SPDX-License-Identifier: BSD-3-Clause
// std::atomic's wait, and what stands on it: std::counting_semaphore, std::latch, std::barrier.
#include "report.hpp"

#include <atomic>
#include <barrier>
#include <chrono>
#include <cstdint>
#include <latch>
#include <semaphore>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

namespace {

/// Long enough for a wait to leave off spinning, however fast or slow the machine is.
void let_others_run() {
    for (int i = 0; i != 64; ++i)
        std::this_thread::yield();
}

template <class Value>
void atomic_wait() {
    std::atomic<Value> word{0};
    int passed = 0;
    std::vector<std::jthread> some;
    for (int i = 0; i != 5; ++i)
        some.emplace_back([&] {
            word.wait(0);
            ++passed;
        });
    let_others_run();
    HALVM_CHECK(passed == 0);
    word = 1;
    word.notify_one();
    let_others_run();
    // A type that no futex fits may wake all.
    HALVM_CHECK(passed == 1 || (sizeof(Value) != 4 && passed != 0));
    word.notify_all();
    some.clear();
    HALVM_CHECK(passed == 5);
}

void semaphore() {
    std::counting_semaphore<8> slots{2};
    int inside = 0;
    int most = 0;
    std::vector<std::jthread> some;
    for (int i = 0; i != 10; ++i)
        some.emplace_back([&] {
            slots.acquire();
            most = std::max(most, ++inside);
            std::this_thread::sleep_for(1ms);
            --inside;
            slots.release();
        });
    some.clear();
    HALVM_CHECK(most == 2 && inside == 0);
    slots.acquire();
    slots.acquire();
    HALVM_CHECK(!slots.try_acquire_for(5ms));
    std::jthread later{[&] {
        std::this_thread::sleep_for(5ms);
        slots.release();
    }};
    HALVM_CHECK(slots.try_acquire_until(std::chrono::steady_clock::now() + 1h));
}

void latch() {
    std::latch ready{3};
    int arrived = 0;
    std::vector<std::jthread> some;
    for (int i = 0; i != 3; ++i)
        some.emplace_back([&] {
            ++arrived;
            ready.count_down();
        });
    ready.wait();
    HALVM_CHECK(arrived == 3);
}

void barrier() {
    int phases = 0;
    int steps = 0;
    std::barrier meeting{4, [&]() noexcept { HALVM_CHECK(steps == 4 * ++phases); }};
    std::vector<std::jthread> some;
    for (int i = 0; i != 4; ++i)
        some.emplace_back([&] {
            for (int phase = 0; phase != 10; ++phase) {
                ++steps;
                meeting.arrive_and_wait();
            }
        });
    some.clear();
    HALVM_CHECK(phases == 10 && steps == 40);
}

}  // namespace

int halvm_main() {
    atomic_wait<int>();
    atomic_wait<char>();
    atomic_wait<std::uint64_t>();
    semaphore();
    latch();
    barrier();
    return report::verdict("words");
}
