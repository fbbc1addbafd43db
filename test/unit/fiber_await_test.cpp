// SPDX-License-Identifier: BSD-3-Clause
// Coroutines that wait as fibers do.
#include "child.hpp"
#include "nothing_comes.hpp"

#include <algorithm>
#include <coroutine>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace halvm;
using test::check_panic;
using test::fiber_world;
namespace co = fiber::co;

const auto timed_out = std::make_error_code(std::errc::timed_out);
const auto canceled = std::make_error_code(std::errc::operation_canceled);
const auto closed = std::make_error_code(std::errc::broken_pipe);

fiber::coroutine<int> doubled(channel<int>& from) {
    const auto value = co_await co::receive(from);
    co_return *value * 2;
}

fiber::coroutine<int> sum_of_two(channel<int>& from) {
    const int first = co_await doubled(from);
    co_return first + co_await doubled(from);
}

fiber::coroutine<int> throws(fiber::event& when) {
    co_await co::wait(when);
    throw std::runtime_error{"out of a coroutine"};
}

fiber::coroutine<> counts(fiber::event& go, int& count) {
    co_await co::wait(go);
    ++count;
}

/// A coroutine of another's making, whose exception leaves run() at once.
struct breaks_out {
    struct promise_type {
        breaks_out get_return_object() noexcept {
            return breaks_out{std::coroutine_handle<promise_type>::from_promise(*this)};
        }
        static std::suspend_never initial_suspend() noexcept { return {}; }
        static std::suspend_always final_suspend() noexcept { return {}; }
        static void return_void() noexcept {}
        static void unhandled_exception() { throw; }
    };
    explicit breaks_out(std::coroutine_handle<promise_type> it) noexcept : own{it} {}
    breaks_out(const breaks_out&) = delete;
    breaks_out& operator=(const breaks_out&) = delete;
    ~breaks_out() { own.destroy(); }
    std::coroutine_handle<promise_type> own;
};

breaks_out thrown_after(std::chrono::milliseconds delay, int what) {
    co_await co::sleep(fiber::within(delay));
    throw what;
}

TEST_CASE("coroutine: what it returns or throws comes out of run(), through those that await it") {
    fiber_world world;
    channel<int> queue;
    REQUIRE(queue.send(1));
    auto later = fiber::spawn([&] { return queue.send(20).has_value(); });
    CHECK(fiber::run(sum_of_two(queue)) == 42);
    CHECK(later.join());

    fiber::event now;
    now.set();
    CHECK_THROWS_AS(fiber::run(throws(now)), std::runtime_error);
    fiber::event soon;
    auto setter = fiber::spawn([&] { soon.set(); });
    const auto awaits = [](fiber::event& when) -> fiber::coroutine<std::string> {
        try {
            co_await throws(when);
        } catch (const std::runtime_error& caught) {
            co_return caught.what();
        }
        co_return "";
    };
    CHECK(fiber::run(awaits(soon)) == "out of a coroutine");
    setter.join();
    const auto moves = []() -> fiber::coroutine<std::unique_ptr<int>> { co_return std::make_unique<int>(3); };
    CHECK(*fiber::run(moves()) == 3);
}

TEST_CASE("coroutine: thousands wait on one fiber, and go on in the order in which they came") {
    fiber_world world;
    constexpr int count = 10'000;
    fiber::crew all;
    fiber::semaphore free{0};
    std::vector<int> order;
    const auto waits = [&](int who) -> fiber::coroutine<> {
        co_await co::acquire(free);
        order.push_back(who);
    };
    for (int i = 0; i < count; ++i)
        all.start(waits(i));
    auto releases = fiber::spawn([&] {
        for (int i = 0; i < count; ++i) {
            free.release();
            if (i % 100 == 0)
                fiber::yield();
        }
    });
    std::size_t fibers = 0;
    world.fibers.for_each([&](const fiber::task&) { ++fibers; });
    CHECK(fibers == 2);
    all.run();
    REQUIRE(order.size() == count);
    CHECK(std::ranges::is_sorted(order));
    CHECK(world.waits == 0);
    releases.join();
}

TEST_CASE("coroutine: fibers and coroutines stand in one queue, each in its turn") {
    fiber_world world;
    fiber::mutex lock;
    std::string order;
    const auto locks = [&]() -> fiber::coroutine<> {
        auto own = co_await co::lock(lock);
        CHECK(own);
        CHECK(!lock.held());
        CHECK(!lock.try_lock());
        order += 'c';
        co_await co::sleep(fiber::within(1ms));
        order += 'c';
    };
    const auto by_fiber = [&] {
        lock.lock();
        order += 'f';
        fiber::sleep(fiber::within(1ms));
        order += 'f';
        lock.unlock();
    };
    lock.lock();
    std::vector<fiber::handle<void>> all;
    for (int i = 0; i < 2; ++i) {
        all.push_back(fiber::spawn([&] { fiber::run(locks()); }));
        all.push_back(fiber::spawn(by_fiber));
    }
    fiber::yield();
    lock.unlock();
    for (auto& one : all)
        one.join();
    CHECK(order == "ccffccff");
    CHECK(lock.try_lock());
    lock.unlock();
}

TEST_CASE("coroutine: other fibers run between its turns") {
    fiber_world world;
    int rounds = 0;
    mvar<int> to;
    mvar<int> fro;
    const auto plays = [&](mvar<int>& mine, mvar<int>& other) -> fiber::coroutine<> {
        for (int i = 0; i < 1'000; ++i, ++rounds) {
            CHECK(co_await co::put(other, i));
            CHECK(*co_await co::take(mine) == i);
        }
    };
    auto yields = fiber::spawn([&] {
        for (int i = 0; i < 100; ++i)
            fiber::yield();
        return rounds;
    });
    fiber::crew both;
    both.start(plays(to, fro));
    both.start(plays(fro, to));
    both.run();
    CHECK(rounds == 2'000);
    CHECK(yields.join() < 400);
    CHECK(world.waits == 0);
}

struct waits_for_nothing : test::nothing_comes {
    static constexpr int kinds = 18;

    /// True when the limit has ended it with `expected`.
    fiber::coroutine<bool> one(int kind, fiber::wait_limit limit, std::error_code expected) {
        std::optional<int> into;
        switch (kind) {
        case 0: co_return !co_await co::lock(lock, limit);
        case 1: co_return !co_await co::lock(again, limit);
        case 2: co_return !co_await co::lock(shared, limit);
        case 3: co_return !co_await co::lock_shared(shared, limit);
        case 4: co_return !co_await co::acquire(free, limit);
        case 5: co_return !co_await co::wait(happened, limit);
        case 6: co_return !co_await co::wait(gate, limit);
        case 7: co_return !co_await co::wait(work, limit);
        case 8: co_return (co_await co::arrive_and_wait(meeting, limit)).error() == expected;
        case 9: {
            auto held = co_await co::lock(own);
            const bool notified = co_await co::wait(changed, held, limit);
            co_return !notified && held;
        }
        case 10: {
            auto held = co_await co::lock(own);
            const auto no = [] { return false; };
            co_return !co_await co::wait(changed, held, no, limit);
        }
        case 11: co_return (co_await co::take(empty, limit)).error() == expected;
        case 12: co_return (co_await co::read(empty, limit)).error() == expected;
        case 13: co_return (co_await co::put(full, 2, limit)).error() == expected;
        case 14: co_return (co_await co::receive(vacant, limit)).error() == expected;
        case 15: co_return (co_await co::send(meets, 1, limit)).error() == expected;
        case 16: co_return !co_await co::wait(ends, limit);
        default:
            co_return (co_await co::select(limit, fiber::receiving(vacant, into), fiber::taking(empty, into),
                                           fiber::happening(happened), fiber::after(1h)))
                    .error() == expected;
        }
    }
};

TEST_CASE("coroutine: each wait ends at its deadline and when it is stopped, before it began and after") {
    fiber_world world;
    waits_for_nothing none;
    none.hold();
    for (int kind = 0; kind < waits_for_nothing::kinds; ++kind) {
        CAPTURE(kind);
        const auto begin = world.time;
        CHECK(fiber::run(none.one(kind, fiber::within(1ms), timed_out)));
        CHECK(world.time == begin + 1'000'000);
        CHECK(fiber::run(none.one(kind, fiber::within(0ms), timed_out)));
        std::stop_source stop;
        auto stopper = fiber::spawn([&] { stop.request_stop(); });
        CHECK(fiber::run(none.one(kind, fiber::within(1ms, stop.get_token()), canceled)));
        CHECK(fiber::run(none.one(kind, stop.get_token(), canceled)));
        CHECK(world.time == begin + 1'000'000);
        stopper.join();
    }
    none.release();
    // Nobody is left in any queue: their destructors would say so.
}

TEST_CASE("coroutine: one that is destroyed while it waits leaves its queue, wherever it is") {
    fiber_world world;
    waits_for_nothing none;
    none.hold();
    {
        fiber::crew all;
        const auto keeps = [&](int kind, fiber::wait_limit limit) -> fiber::coroutine<> {
            co_await none.one(kind, limit, {});
            FAIL("nothing of it comes");
        };
        std::stop_source stop;
        for (int kind = 0; kind < waits_for_nothing::kinds; ++kind)
            all.start(keeps(kind, fiber::within(1h, stop.get_token())));
        const auto begins = []() -> fiber::coroutine<> {
            const auto one = thrown_after(2ms, 5);
            co_await co::sleep(fiber::within(1h));
        };
        all.start(begins());
        CHECK_THROWS_AS(all.run(), int);
    }
    none.release();
    CHECK(none.free.available() == 0);
}

TEST_CASE("coroutine: what was handed to one that is destroyed before it goes on is given back") {
    fiber_world world;
    fiber::mutex lock;
    fiber::shared_mutex shared;
    fiber::semaphore free{0};
    lock.lock();
    shared.lock();
    const auto wants = [&](int which) -> fiber::coroutine<> {
        if (which == 0)
            static_cast<void>(co_await co::lock(lock));
        if (which == 1)
            static_cast<void>(co_await co::lock_shared(shared));
        if (which == 2)
            co_await co::acquire(free);
    };
    auto one = std::make_unique<fiber::crew>();
    for (int which = 0; which < 3; ++which)
        one->start(wants(which));
    auto runs = fiber::spawn([&] {
        try {
            one->run();
        } catch (int) {}
    });
    fiber::yield();
    const auto begins = []() -> fiber::coroutine<> {
        const auto other = thrown_after(1ms, 1);
        co_await co::sleep(fiber::within(1h));
    };
    one->start(begins());
    fiber::yield();
    world.time += 2'000'000;
    fiber::sleep(fiber::within(1us));
    lock.unlock();
    shared.unlock();
    free.release();
    runs.join();
    CHECK(!lock.try_lock());
    CHECK(free.available() == 0);
    one.reset();
    CHECK(lock.try_lock());
    CHECK(shared.try_lock());
    CHECK(free.try_acquire());
    lock.unlock();
    shared.unlock();
}

TEST_CASE("coroutine: each wait comes to its end when what it waits for comes") {
    fiber_world world;
    fiber::event happened;
    fiber::latch gate{1};
    fiber::wait_group work;
    work.add();
    fiber::barrier meeting{2};
    channel<std::unique_ptr<int>> queue{0};
    mvar<std::unique_ptr<int>> place;
    fiber::recursive_mutex again;
    fiber::shared_mutex shared;
    fiber::mutex lock;
    fiber::condition_variable changed;
    bool change = false;
    again.lock(), again.lock(), shared.lock();
    auto value = fiber::spawn([&] {
        happened.wait();
        return 5;
    });
    auto fails = fiber::spawn([&] {
        happened.wait();
        throw std::runtime_error{"in the fiber"};
    });
    int ends = 0;
    // Captures live as long as the lambda does, and that outlives run().
    const auto works = [&]() -> fiber::coroutine<> {
        CHECK(co_await co::wait(happened));
        CHECK(co_await co::wait(gate));
        CHECK(co_await co::wait(work));
        CHECK(co_await co::arrive_and_wait(meeting) == false);
        CHECK(co_await co::arrive_and_wait(meeting) == true);
        CHECK(**(co_await co::receive(queue)) == 6);
        CHECK(co_await co::send(queue, std::make_unique<int>(7)));
        CHECK((co_await co::receive(queue)).error() == closed);
        CHECK((co_await co::send(queue, nullptr)).error() == closed);
        CHECK(**(co_await co::take(place)) == 8);
        CHECK(co_await co::put(place, std::make_unique<int>(9)));
        CHECK(co_await co::put(place, std::make_unique<int>(10)));
        {
            auto own = co_await co::lock(again);
            auto reads = co_await co::lock_shared(shared);
            CHECK((own && reads));
            CHECK(!again.try_lock());
            CHECK(!shared.try_lock());
            CHECK(shared.try_lock_shared());
            shared.unlock_shared();
            reads.unlock();
            auto writes = co_await co::lock(shared);
            CHECK(!shared.try_lock_shared());
        }
        CHECK(shared.try_lock());
        shared.unlock();
        auto held = co_await co::lock(lock);
        const auto true_now = [&] { return change; };
        CHECK(co_await co::wait(changed, held, true_now));
        CHECK(!lock.try_lock());
        held.unlock();
        CHECK(co_await co::wait(value));
        CHECK(co_await co::join(value) == 5);
        CHECK(!value.joinable());
        try {
            co_await co::join(fails);
            FAIL("it has thrown");
        } catch (const std::runtime_error&) {}
        std::optional<std::unique_ptr<int>> received;
        channel<std::unique_ptr<int>> other;
        CHECK(co_await co::send(other, std::make_unique<int>(11)));
        CHECK(*co_await co::select({}, fiber::after(1h), fiber::receiving(other, received)) == 1);
        CHECK(**received == 11);
        CHECK(*co_await co::select({}, fiber::after(1ms), fiber::receiving(other, received)) == 0);
        ++ends;
    };
    auto runs = fiber::spawn([&] { fiber::run(works()); });
    fiber::yield();
    happened.set();
    fiber::yield();
    gate.count_down();
    fiber::yield();
    work.done();
    fiber::yield();
    CHECK(meeting.arrive_and_wait());
    CHECK(!meeting.arrive_and_wait());
    CHECK(queue.send(std::make_unique<int>(6)));
    CHECK(**queue.receive() == 7);
    fiber::yield();
    queue.close();
    fiber::yield();
    CHECK(place.put(std::make_unique<int>(8)));
    CHECK(**place.take() == 9);
    CHECK(**place.take() == 10);
    fiber::yield();
    again.unlock(), again.unlock(), shared.unlock();
    for (int i = 0; i < 5; ++i)
        fiber::yield();
    lock.lock();
    change = true;
    changed.notify_one();
    lock.unlock();
    runs.join();
    CHECK(ends == 1);
}

TEST_CASE("crew: takes coroutines while it runs, and throws the first exception when all have ended") {
    fiber_world world;
    fiber::crew all;
    fiber::event go;
    int count = 0;
    const auto fails = [](int what) -> fiber::coroutine<> {
        co_await co::sleep(fiber::within(1ms));
        throw what;
    };
    const auto starts = [&]() -> fiber::coroutine<> {
        for (int i = 0; i < 3; ++i)
            all.start(counts(go, count));
        co_return;
    };
    all.start(fails(1));
    all.start(fails(2));
    all.start(starts());
    auto later = fiber::spawn([&] {
        fiber::sleep(fiber::within(5ms));
        all.start(counts(go, count));
        go.set();
    });
    CHECK_THROWS_AS(all.run(), int);
    CHECK(count == 4);
    later.join();
    all.run();

    // One that never ran, and one that nobody awaits, leave nothing.
    fiber::crew unused;
    unused.start(counts(go, count));
    static_cast<void>(counts(go, count));
}

TEST_CASE("crew: waits for the outside when one of its coroutines does, and is in a deadlock when none does") {
    fiber_world world;
    fiber::wait_queue device{"device", true};
    fiber::event never_set;
    const auto uses = [&]() -> fiber::coroutine<bool> { co_return co_await co::wait(device); };
    world.on_wait = [&] {
        world.fibers.signal(device);
        if (world.waits == 2)
            never_set.set();
    };
    CHECK(fiber::run(uses()));
    CHECK(world.deadlocks == 0);
    int count = 0;
    fiber::run(counts(never_set, count));
    CHECK(count == 1);
    CHECK(world.deadlocks == 1);
}

TEST_CASE("coroutine: misuse panics and names the fiber and the rule") {
    fiber_world world;
    check_panic("fiber main: crew run a second time while it runs", [] {
        fiber::crew all;
        const auto again = [&]() -> fiber::coroutine<> {
            all.run();
            co_return;
        };
        all.start(again());
        all.run();
    });
    check_panic("fiber selfish: fiber joined by itself", [] {
        fiber::handle<void> self;
        const auto joins = [&]() -> fiber::coroutine<> { co_await co::join(self); };
        self = fiber::spawn([&] { fiber::run(joins()); }, {.name = "selfish"});
        fiber::sleep(fiber::within(1ms));
    });
    check_panic("fiber main: event destroyed while a fiber waits for it", [] {
        auto one = std::make_unique<fiber::event>();
        int count = 0;
        fiber::crew all;
        all.start(counts(*one, count));
        auto runs = fiber::spawn([&] { all.run(); });
        fiber::yield();
        one.reset();
    });
    check_panic("fiber main: wait awaited by a coroutine that no crew runs", [] {
        fiber::event never_set;
        co::wait(never_set).await_suspend(std::noop_coroutine());
    });
}

}  // namespace
