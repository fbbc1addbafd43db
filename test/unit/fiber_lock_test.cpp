// SPDX-License-Identifier: BSD-3-Clause
// mutex, recursive_mutex and shared_mutex.
#include "child.hpp"
#include "fiber_world.hpp"

#include <mutex>
#include <shared_mutex>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace halvm;
using test::check_panic;
using test::fiber_world;

TEST_CASE("mutex: handed to the fiber that has waited longest, and nobody gets in before it") {
    fiber_world world;
    fiber::mutex lock;
    std::string order;
    lock.lock();
    CHECK(lock.held());
    std::vector<fiber::handle<void>> waiting;
    for (const char who : {'a', 'b', 'c'})
        waiting.push_back(fiber::spawn([&, who] {
            CHECK(!lock.held());
            const std::scoped_lock held{lock};
            order += who;
            fiber::yield();
            order += who;
        }));
    fiber::yield();
    lock.unlock();
    CHECK(!lock.held());
    CHECK(!lock.try_lock());
    lock.lock();
    order += 'm';
    lock.unlock();
    CHECK(order == "aabbccm");
    CHECK(lock.try_lock());
    lock.unlock();
    for (auto& one : waiting)
        one.join();
}

TEST_CASE("mutex: who gives up waiting is passed over") {
    fiber_world world;
    fiber::mutex lock;
    lock.lock();
    auto impatient = fiber::spawn([&] { return lock.lock(fiber::within(1ms)); });
    std::stop_source stop;
    auto stopped = fiber::spawn([&] { return lock.lock(fiber::wait_limit{stop.get_token()}); });
    auto patient = fiber::spawn([&] {
        lock.lock();
        lock.unlock();
        return true;
    });
    CHECK(!impatient.join());
    stop.request_stop();
    CHECK(!stopped.join());
    lock.unlock();
    CHECK(patient.join());
    CHECK(lock.try_lock());
    lock.unlock();
}

TEST_CASE("mutex: one that was handed over stays so, although the deadline comes before its owner runs") {
    fiber_world world;
    fiber::mutex lock;
    lock.lock();
    auto waiting = fiber::spawn([&] {
        const bool mine = lock.lock(fiber::within(1ms));
        CHECK(lock.held());
        lock.unlock();
        return mine;
    });
    fiber::yield();
    lock.unlock();
    world.time += 5'000'000;
    CHECK(waiting.join());
}

TEST_CASE("mutex: misuse panics") {
    fiber_world world;
    check_panic("fiber main: mutex locked again by the fiber that holds it", [] {
        fiber::mutex lock;
        lock.lock();
        lock.lock(fiber::within(1ms));
    });
    check_panic("fiber main: mutex unlocked by a fiber that does not hold it", [] { fiber::mutex{}.unlock(); });
    check_panic("fiber thief: mutex unlocked by a fiber that does not hold it", [] {
        fiber::mutex lock;
        lock.lock();
        fiber::spawn([&] { lock.unlock(); }, {.name = "thief"}).join();
    });
    check_panic("fiber main: mutex destroyed while a fiber waits for it", [] {
        auto lock = std::make_unique<fiber::mutex>();
        lock->lock();
        auto waiting = fiber::spawn([&] { lock->lock(); });
        fiber::yield();
        lock.reset();
    });
}

TEST_CASE("locks: a fiber that ends while it holds one panics, also when it was handed the lock") {
    fiber_world world;
    const auto ends_with = [](auto take) {
        check_panic("fiber owner: mutex held by a fiber that ends", [&] {
            fiber::mutex lock;
            fiber::recursive_mutex again;
            fiber::shared_mutex shared;
            lock.lock(), again.lock(), shared.lock();
            auto owner = fiber::spawn([&] { take(lock, again, shared); }, {.name = "owner"});
            fiber::yield();
            lock.unlock(), again.unlock(), shared.unlock();
            owner.join();
        });
    };
    ends_with([](auto& lock, auto&, auto&) { lock.lock(); });
    ends_with([](auto& lock, auto&, auto&) { fiber::yield(), lock.try_lock(); });
    ends_with([](auto&, auto& again, auto&) { again.lock(), again.lock(), again.unlock(); });
    ends_with([](auto&, auto&, auto& shared) { shared.lock(); });
}

TEST_CASE("recursive mutex: its owner may lock it again, and gives it up with the last unlock") {
    fiber_world world;
    fiber::recursive_mutex lock;
    lock.lock();
    CHECK(lock.try_lock());
    CHECK(lock.lock(fiber::within(0ms)));
    auto other = fiber::spawn([&] {
        const bool early = lock.try_lock() || lock.lock(fiber::within(1ms));
        lock.lock();
        lock.unlock();
        return early;
    });
    fiber::sleep(fiber::within(2ms));
    lock.unlock();
    lock.unlock();
    fiber::yield();
    CHECK(!other.wait(fiber::within(1ms)));
    lock.unlock();
    CHECK(!other.join());
    check_panic("fiber main: recursive mutex unlocked by a fiber that does not hold it", [] {
        fiber::recursive_mutex one;
        one.lock();
        one.unlock();
        one.unlock();
    });
    check_panic("fiber thief: recursive mutex unlocked by a fiber that does not hold it", [] {
        fiber::recursive_mutex one;
        one.lock();
        fiber::spawn([&] { one.unlock(); }, {.name = "thief"}).join();
    });
}

TEST_CASE("shared mutex: many readers or one writer") {
    fiber_world world;
    fiber::shared_mutex lock;
    {
        const std::shared_lock one{lock};
        CHECK(fiber::spawn([&] { return std::shared_lock{lock, std::try_to_lock}.owns_lock(); }).join());
        CHECK(!lock.try_lock());
    }
    const std::scoped_lock writes{lock};
    CHECK(!fiber::spawn([&] { return lock.try_lock_shared(); }).join());
    CHECK(!fiber::spawn([&] { return lock.lock_shared(fiber::within(1ms)); }).join());
    CHECK(!fiber::spawn([&] { return lock.try_lock(); }).join());
}

TEST_CASE("shared mutex: readers that come after a waiting writer wait behind it, then enter together") {
    fiber_world world;
    fiber::shared_mutex lock;
    std::string order;
    lock.lock_shared();
    auto writer = fiber::spawn([&] {
        const std::scoped_lock writes{lock};
        order += 'w';
        fiber::yield();
        order += 'w';
    });
    const auto read = [&] {
        const std::shared_lock reads{lock};
        order += '(';
        fiber::yield();
        order += ')';
    };
    auto first = fiber::spawn(read);
    auto second = fiber::spawn(read);
    fiber::yield();
    CHECK(!lock.try_lock_shared());
    CHECK(order.empty());
    lock.unlock_shared();
    writer.join();
    first.join();
    second.join();
    CHECK(order == "ww(())");
}

TEST_CASE("shared mutex: a writer that gives up lets in the readers behind it") {
    fiber_world world;
    fiber::shared_mutex lock;
    lock.lock_shared();
    auto writer = fiber::spawn([&] { return lock.lock(fiber::within(1ms)); });
    auto reader = fiber::spawn([&] {
        lock.lock_shared();
        lock.unlock_shared();
    });
    reader.join();
    CHECK(!writer.join());
    lock.unlock_shared();
    CHECK(lock.try_lock());
    lock.unlock();
}

TEST_CASE("shared mutex: misuse panics") {
    fiber_world world;
    check_panic("fiber main: shared mutex unlocked by a fiber that does not hold it to write",
                [] { fiber::shared_mutex{}.unlock(); });
    check_panic("fiber main: shared mutex unlocked by a fiber that does not hold it to write", [] {
        fiber::shared_mutex lock;
        lock.lock_shared();
        lock.unlock();
    });
    check_panic("fiber thief: shared mutex unlocked by a fiber that does not hold it to write", [] {
        fiber::shared_mutex lock;
        lock.lock();
        fiber::spawn([&] { lock.unlock(); }, {.name = "thief"}).join();
    });
    check_panic("fiber main: shared mutex unlocked while nobody holds it to read", [] {
        fiber::shared_mutex lock;
        lock.lock();
        lock.unlock_shared();
    });
    check_panic("fiber main: shared mutex locked again by the fiber that holds it to write", [] {
        fiber::shared_mutex lock;
        lock.lock();
        lock.lock_shared();
    });
    check_panic("fiber main: shared mutex destroyed while a fiber waits for it", [] {
        auto lock = std::make_unique<fiber::shared_mutex>();
        lock->lock();
        auto waiting = fiber::spawn([&] { lock->lock(); });
        fiber::yield();
        lock.reset();
    });
}

}  // namespace
