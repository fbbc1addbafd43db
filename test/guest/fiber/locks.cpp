// SPDX-License-Identifier: BSD-3-Clause
// std::mutex and its kin, std::call_once: between several threads.
#include "report.hpp"

#include <chrono>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

namespace {

void excludes() {
    std::mutex mutex;
    int inside = 0;
    int total = 0;
    std::vector<std::jthread> some;
    for (int i = 0; i != 20; ++i)
        some.emplace_back([&] {
            for (int round = 0; round != 10; ++round) {
                const std::lock_guard lock{mutex};
                HALVM_CHECK(++inside == 1);
                std::this_thread::yield();
                --inside;
                ++total;
            }
        });
    some.clear();
    HALVM_CHECK(total == 200);
}

void in_order_of_arrival() {
    std::mutex mutex;
    std::string order;
    mutex.lock();
    std::vector<std::jthread> some;
    for (char letter = 'a'; letter != 'f'; ++letter)
        some.emplace_back([&, letter] {
            const std::lock_guard lock{mutex};
            order += letter;
        });
    std::this_thread::yield();
    mutex.unlock();
    HALVM_CHECK(!mutex.try_lock());
    some.clear();
    HALVM_CHECK(order == "abcde" && mutex.try_lock());
    mutex.unlock();
}

void recursive() {
    std::recursive_mutex mutex;
    mutex.lock();
    mutex.lock();
    bool got = true;
    std::thread{[&] { got = mutex.try_lock(); }}.join();
    HALVM_CHECK(!got);
    std::jthread waiting{[&] {
        const std::lock_guard lock{mutex};
        got = true;
    }};
    std::this_thread::yield();
    mutex.unlock();
    std::this_thread::yield();
    HALVM_CHECK(!got);
    mutex.unlock();
    waiting.join();
    HALVM_CHECK(got);
}

void timed() {
    std::timed_mutex mutex;
    mutex.lock();
    bool in_time = false;
    bool late = true;
    std::jthread a{[&] { late = mutex.try_lock_for(10ms); }};
    std::jthread b{[&] { in_time = mutex.try_lock_until(std::chrono::system_clock::now() + 1h); }};
    a.join();
    HALVM_CHECK(!late && !in_time);
    mutex.unlock();
    b.join();
    HALVM_CHECK(in_time);
}

void once() {
    std::once_flag flag;
    int tries = 0;
    int caught = 0;
    std::vector<std::jthread> some;
    for (int i = 0; i != 5; ++i)
        some.emplace_back([&] {
            try {
                std::call_once(flag, [&] {
                    std::this_thread::sleep_for(1ms);
                    if (++tries < 3)
                        throw tries;
                });
            } catch (int) {
                ++caught;
            }
            HALVM_CHECK(tries == 3 || caught != 0);
        });
    some.clear();
    HALVM_CHECK(tries == 3 && caught == 2);
}

void several_at_once() {
    std::mutex first, second;
    int done = 0;
    {
        std::jthread a{[&] {
            for (int i = 0; i != 20; ++i, std::this_thread::yield()) {
                const std::scoped_lock lock{first, second};
                std::this_thread::yield();
            }
            ++done;
        }};
        std::jthread b{[&] {
            for (int i = 0; i != 20; ++i, std::this_thread::yield()) {
                const std::scoped_lock lock{second, first};
                std::this_thread::yield();
            }
            ++done;
        }};
    }
    HALVM_CHECK(done == 2);
}

}  // namespace

int halvm_main() {
    excludes();
    in_order_of_arrival();
    recursive();
    timed();
    once();
    several_at_once();
    return report::verdict("locks");
}
