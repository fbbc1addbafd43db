// SPDX-License-Identifier: BSD-3-Clause
// feature: `<mutex>`, `<shared_mutex>`, `<condition_variable>`, `<semaphore>`, `std::call_once`
#include "report.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <semaphore>
#include <shared_mutex>

using namespace std::chrono_literals;

int halvm_main() {
    std::mutex plain;
    HALVM_CHECK(plain.try_lock() && !plain.try_lock());
    plain.unlock();
    std::recursive_mutex recursive;
    {
        const std::scoped_lock first{recursive};
        const std::scoped_lock second{recursive, plain};
        HALVM_CHECK(recursive.try_lock());
        recursive.unlock();
    }
    HALVM_CHECK(plain.try_lock());
    plain.unlock();

    std::timed_mutex timed;
    timed.lock();
    const auto before = std::chrono::steady_clock::now();
    HALVM_CHECK(!timed.try_lock_for(20ms));
    HALVM_CHECK(std::chrono::steady_clock::now() - before >= 20ms);
    timed.unlock();

    std::shared_timed_mutex shared;
    HALVM_CHECK(shared.try_lock_shared() && shared.try_lock_shared() && !shared.try_lock());
    HALVM_CHECK(!shared.try_lock_for(1ms));
    shared.unlock_shared();
    shared.unlock_shared();
    HALVM_CHECK(shared.try_lock() && !shared.try_lock_shared());
    shared.unlock();

    std::condition_variable condition;
    std::unique_lock lock{plain};
    HALVM_CHECK(condition.wait_for(lock, 10ms) == std::cv_status::timeout);
    HALVM_CHECK(condition.wait_until(lock, std::chrono::system_clock::now() + 10ms) == std::cv_status::timeout);
    HALVM_CHECK(lock.owns_lock() && !condition.wait_for(lock, 5ms, [] { return false; }));
    condition.notify_all();

    std::counting_semaphore<4> semaphore{1};
    semaphore.acquire();
    HALVM_CHECK(!semaphore.try_acquire() && !semaphore.try_acquire_for(10ms));
    semaphore.release(2);
    HALVM_CHECK(semaphore.try_acquire_for(10ms));

    std::once_flag once;
    HALVM_CHECK(report::throws<int>([&] { std::call_once(once, [] { throw 1; }); }));
    int calls = 0;
    for (int i = 0; i != 3; ++i)
        std::call_once(once, [&] { ++calls; });
    HALVM_CHECK(calls == 1);

    std::atomic<int> word{1};
    word.wait(0);
    word.notify_all();
    HALVM_CHECK(word.fetch_add(1) == 1);
    return report::verdict("locks");
}
