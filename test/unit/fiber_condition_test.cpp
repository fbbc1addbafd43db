// SPDX-License-Identifier: BSD-3-Clause
// condition_variable, semaphore, event, wait_group, latch and barrier.
#include "child.hpp"
#include "fiber_world.hpp"

#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace halvm;
using test::check_panic;
using test::fiber_world;

/// `work` runs in a fiber that waits in what it made; then that is destroyed.
template <class Primitive, class... Arguments>
void check_destruction(std::string_view what, Arguments... arguments) {
    check_panic("fiber main: " + std::string{what} + " destroyed while a fiber waits for it", [&] {
        auto one = std::make_unique<Primitive>(arguments...);
        auto waiting = fiber::spawn([&] {
            if constexpr (requires { one->acquire(); })
                one->acquire();
            else if constexpr (requires { one->arrive_and_wait(); })
                one->arrive_and_wait();
            else
                one->wait();
        });
        fiber::yield();
        one.reset();
    });
}

TEST_CASE("condition variable: notify_one wakes who waited longest, notify_all the rest, and all hold the lock") {
    fiber_world world;
    fiber::mutex lock;
    fiber::condition_variable condition;
    std::string order;
    std::vector<fiber::handle<void>> waiting;
    for (const char who : {'a', 'b', 'c'})
        waiting.push_back(fiber::spawn([&, who] {
            std::unique_lock held{lock};
            CHECK(condition.wait(held));
            CHECK(lock.held());
            order += who;
            fiber::yield();
        }));
    condition.notify_all();
    fiber::yield();
    condition.notify_one();
    fiber::yield();
    CHECK(order == "a");
    condition.notify_all();
    for (auto& one : waiting)
        one.join();
    CHECK(order == "abc");
}

TEST_CASE("condition variable: a wait that gives up holds the lock again, however long that takes") {
    fiber_world world;
    fiber::mutex lock;
    fiber::condition_variable condition;
    std::unique_lock held{lock};
    auto waiting = fiber::spawn([&] {
        std::unique_lock own{lock};
        const bool notified = condition.wait(own, fiber::within(1ms));
        CHECK(lock.held());
        return notified;
    });
    held.unlock();
    fiber::yield();
    held.lock();
    fiber::sleep(fiber::within(5ms));
    CHECK(!waiting.wait(fiber::within(1ms)));
    held.unlock();
    CHECK(!waiting.join());
    held.lock();
    CHECK(!condition.wait(held, fiber::wait_limit{0}));
    CHECK(lock.held());
}

TEST_CASE("condition variable: with a predicate it tells what that says at the end") {
    fiber_world world;
    fiber::mutex lock;
    fiber::condition_variable condition;
    int value = 0;
    std::unique_lock held{lock};
    CHECK(condition.wait(
        held, [] { return true; }, fiber::wait_limit{0}));
    CHECK(!condition.wait(
        held, [&] { return value == 1; }, fiber::within(1ms)));
    auto setter = fiber::spawn([&] {
        for (int i = 0; i < 3; ++i) {
            const std::scoped_lock own{lock};
            ++value;
            condition.notify_one();
            fiber::yield();
        }
    });
    condition.wait(held, [&] { return value == 3; });
    CHECK(value == 3);
    std::stop_source stop;
    auto stopper = fiber::spawn([&] { stop.request_stop(); });
    CHECK(!condition.wait(
        held, [&] { return value == 4; }, stop.get_token()));
    held.unlock();
    setter.join();
    stopper.join();
}

TEST_CASE("semaphore: what is given goes to who has waited longest") {
    fiber_world world;
    fiber::semaphore free{2};
    CHECK(free.try_acquire());
    CHECK(free.acquire());
    CHECK(!free.try_acquire());
    CHECK(!free.acquire(fiber::within(1ms)));
    std::string order;
    std::vector<fiber::handle<void>> waiting;
    for (const char who : {'a', 'b', 'c'})
        waiting.push_back(fiber::spawn([&, who] {
            free.acquire();
            order += who;
        }));
    fiber::yield();
    free.release(2);
    CHECK(free.available() == 0);
    CHECK(!free.try_acquire());
    fiber::yield();
    CHECK(order == "ab");
    free.release(3);
    CHECK(free.available() == 2);
    for (auto& one : waiting)
        one.join();
    check_destruction<fiber::semaphore>("semaphore", std::size_t{0});
}

TEST_CASE("event: everybody goes on when it is set, also when it is reset at once") {
    fiber_world world;
    fiber::event happened;
    int woken = 0;
    std::vector<fiber::handle<void>> waiting;
    for (int i = 0; i < 5; ++i)
        waiting.push_back(fiber::spawn([&] { woken += happened.wait(); }));
    fiber::yield();
    happened.set();
    happened.reset();
    CHECK(!happened.is_set());
    CHECK(!happened.wait(fiber::within(1ms)));
    CHECK(woken == 5);
    happened.set();
    CHECK(happened.wait(fiber::wait_limit{0}));
    for (auto& one : waiting)
        one.join();
    check_destruction<fiber::event>("event");
}

TEST_CASE("wait group: waits for all the work, and again for later work") {
    fiber_world world;
    fiber::wait_group work;
    CHECK(work.wait());
    for (int round = 0; round < 2; ++round) {
        work.add(3);
        for (int i = 1; i <= 3; ++i)
            fiber::spawn([&, i] {
                fiber::sleep(fiber::within(i * 1ms));
                work.done();
            }).detach();
        const auto begin = world.time;
        CHECK(!work.wait(fiber::within(1500us)));
        CHECK(work.wait());
        CHECK(world.time == begin + 3'000'000);
    }
    check_panic("fiber main: wait group has nothing left to be done", [] { fiber::wait_group{}.done(); });
}

TEST_CASE("latch: opens once, after the last arrival") {
    fiber_world world;
    fiber::latch gate{3};
    auto waiting = fiber::spawn([&] { return gate.wait(); });
    gate.count_down(0);
    gate.count_down();
    CHECK(!gate.arrive_and_wait(fiber::within(1ms)));
    CHECK(!gate.try_wait());
    gate.count_down();
    CHECK(gate.try_wait());
    CHECK(waiting.join());
    CHECK(gate.wait(fiber::wait_limit{0}));
    CHECK(fiber::latch{0}.wait());
    check_panic("fiber main: latch counted down below zero", [] {
        fiber::latch one{2};
        one.count_down(3);
    });
    check_destruction<fiber::latch>("latch", std::size_t{2});
}

TEST_CASE("barrier: opens each time that all have arrived, and one of them is told that it was the last") {
    fiber_world world;
    fiber::barrier gate{3};
    int last = 0;
    int inside = 0;
    std::vector<fiber::handle<void>> all;
    for (int i = 0; i < 3; ++i)
        all.push_back(fiber::spawn([&, i] {
            for (int round = 0; round < 10; ++round) {
                fiber::sleep(fiber::within(std::chrono::microseconds((i * 7 + round * 5) % 11)));
                ++inside;
                last += gate.arrive_and_wait();
                CHECK(inside >= 3 * (round + 1));
                CHECK(inside < 3 * (round + 2));
            }
        }));
    for (auto& one : all)
        one.join();
    CHECK(last == 10);
    CHECK(fiber::barrier{1}.arrive_and_wait());
    check_panic("fiber main: barrier made for no fiber at all", [] { fiber::barrier{0}.arrive_and_wait(); });
    check_destruction<fiber::barrier>("barrier", std::size_t{2});
}

}  // namespace
