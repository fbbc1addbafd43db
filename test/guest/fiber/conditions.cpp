// SPDX-License-Identifier: BSD-3-Clause
// std::condition_variable and std::condition_variable_any.
#include "report.hpp"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <shared_mutex>
#include <stop_token>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

namespace {

void queue() {
    std::mutex mutex;
    std::condition_variable filled, emptied;
    std::deque<int> box;
    long sum = 0;
    {
        std::vector<std::jthread> some;
        for (int i = 0; i != 4; ++i)
            some.emplace_back([&] {
                for (;;) {
                    std::unique_lock lock{mutex};
                    filled.wait(lock, [&] { return !box.empty(); });
                    const int value = box.front();
                    box.pop_front();
                    emptied.notify_one();
                    if (value < 0)
                        return;
                    sum += value;
                }
            });
        for (int value = 1; value <= 104; ++value) {
            std::unique_lock lock{mutex};
            emptied.wait(lock, [&] { return box.size() < 2; });
            box.push_back(value <= 100 ? value : -1);
            filled.notify_one();
        }
    }
    HALVM_CHECK(sum == 5050);
}

void all_wake() {
    std::mutex mutex;
    std::condition_variable opened;
    bool open = false;
    int passed = 0;
    std::vector<std::jthread> some;
    for (int i = 0; i != 10; ++i)
        some.emplace_back([&] {
            std::unique_lock lock{mutex};
            opened.wait(lock, [&] { return open; });
            ++passed;
        });
    std::this_thread::yield();
    opened.notify_one();
    std::this_thread::yield();
    HALVM_CHECK(passed == 0);
    open = true;
    opened.notify_all();
    some.clear();
    HALVM_CHECK(passed == 10);
}

void deadlines() {
    std::mutex mutex;
    std::condition_variable never, soon;
    std::unique_lock lock{mutex};
    const auto before = std::chrono::steady_clock::now();
    HALVM_CHECK(never.wait_for(lock, 20ms) == std::cv_status::timeout && lock.owns_lock());
    HALVM_CHECK(std::chrono::steady_clock::now() - before >= 20ms);
    HALVM_CHECK(never.wait_until(lock, std::chrono::system_clock::now() + 5ms) == std::cv_status::timeout);
    std::jthread other{[&] {
        std::this_thread::sleep_for(5ms);
        const std::lock_guard mine{mutex};
        soon.notify_one();
    }};
    HALVM_CHECK(soon.wait_for(lock, 1h) == std::cv_status::no_timeout && lock.owns_lock());
    // Signalled when its time has come already: whoever waits longer gets the signal.
    bool waits = false;
    bool woken = false;
    std::jthread patient{[&] {
        std::unique_lock own{mutex};
        waits = true;
        woken = soon.wait_for(own, 1h) == std::cv_status::no_timeout;
    }};
    while (!waits)
        soon.wait_for(lock, 1ms);
    soon.notify_one();
    lock.unlock();
    patient.join();
    HALVM_CHECK(woken);
}

void any_lock_and_stop() {
    std::shared_mutex shared;
    std::condition_variable_any changed;
    bool stopped = false;
    {
        std::jthread one{[&](std::stop_token token) {
            std::shared_lock lock{shared};
            stopped = !changed.wait(lock, token, [] { return false; });
        }};
        std::this_thread::yield();
        changed.notify_all();
        std::this_thread::yield();
        HALVM_CHECK(!stopped);
    }
    HALVM_CHECK(stopped);
}

}  // namespace

int halvm_main() {
    queue();
    all_wake();
    deadlines();
    any_lock_and_stop();
    return report::verdict("conditions");
}
