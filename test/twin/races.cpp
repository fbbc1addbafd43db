// SPDX-License-Identifier: BSD-3-Clause
// Programs for the thread sanitizer. Those that are planted race, each in one place;
// standard_library() does not, in any way in which threads may take turns.
#include "report.hpp"

#include <halvm/fiber.hpp>
#include <halvm/program.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <future>
#include <latch>
#include <mutex>
#include <semaphore>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
namespace fiber = halvm::fiber;

namespace {

// What the threads touch. volatile, so that each access is made.
volatile long counter = 0;

void add() {
    const long before = counter;
    std::this_thread::yield();
    counter = before + 1;
}

void planted_in_threads() { std::jthread one{add}, other{add}; }

void planted_in_fibers() {
    auto one = fiber::spawn(add);
    auto other = fiber::spawn(add);
}

/// Both hold a lock, but not the same.
void planted_under_locks() {
    fiber::mutex left, right;
    const auto under = [](fiber::mutex& mutex) {
        return [&mutex] {
            mutex.lock();
            add();
            mutex.unlock();
        };
    };
    auto one = fiber::spawn(under(left));
    auto other = fiber::spawn(under(right));
}

void standard_library() {
    std::mutex mutex;
    std::shared_mutex shared;
    std::condition_variable changed;
    std::counting_semaphore<1> turn{1};
    std::once_flag once;
    std::latch ready{4};
    long value = 0, guarded = 0, initialised = 0, under_shared = 0;
    bool open = false;
    std::vector<std::jthread> some;
    for (int i = 0; i != 4; ++i)
        some.emplace_back([&] {
            ready.arrive_and_wait();
            std::call_once(once, [&] {
                std::this_thread::yield();
                initialised = 1;
            });
            HALVM_CHECK(initialised == 1);
            static const std::string made = std::to_string(initialised);
            HALVM_CHECK(made == "1");
            {
                std::unique_lock lock{mutex};
                changed.wait(lock, [&] { return open; });
                const long before = value;
                std::this_thread::yield();
                value = before + 1;
            }
            turn.acquire();
            ++guarded;
            turn.release();
            {
                const std::unique_lock lock{shared};
                ++under_shared;
            }
            const std::shared_lock lock{shared};
            HALVM_CHECK(under_shared > 0);
            std::this_thread::yield();
        });
    {
        const std::lock_guard lock{mutex};
        open = true;
    }
    changed.notify_all();
    some.clear();
    HALVM_CHECK(value == 4 && guarded == 4 && under_shared == 4);
    std::string text;
    auto later = std::async(std::launch::async, [&] {
        std::this_thread::sleep_for(1ms);
        text = "told";
        return 7;
    });
    HALVM_CHECK(later.get() == 7 && text == "told");
}

}  // namespace

int halvm_main() {
    const std::string_view what = halvm::arguments()[0];
    if (what == "threads")
        planted_in_threads();
    if (what == "fibers")
        planted_in_fibers();
    if (what == "locks")
        planted_under_locks();
    if (what == "standard")
        standard_library();
    return report::verdict("races");
}
