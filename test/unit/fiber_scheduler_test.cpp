// SPDX-License-Identifier: BSD-3-Clause
// Who runs when: order, sleeping, idleness, deadlocks, and what ends a wait.
#include "fiber_world.hpp"

#include "fiber/long_runs.hpp"
#include "fiber/report.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace halvm;
using test::fiber_world;

TEST_CASE("scheduler: fibers that yield take turns in the order in which they were started") {
    fiber_world world;
    std::string order;
    const auto turns = [&](char who) {
        return [&order, who] {
            for (int i = 0; i < 3; ++i) {
                order += who;
                fiber::yield();
            }
        };
    };
    auto a = fiber::spawn(turns('a'));
    auto b = fiber::spawn(turns('b'));
    auto c = fiber::spawn(turns('c'));
    CHECK(order.empty());
    a.join();
    b.join();
    c.join();
    CHECK(order == "abcabcabc");
}

TEST_CASE("scheduler: a fiber that is woken goes behind those that can run") {
    fiber_world world;
    std::string order;
    fiber::event go;
    auto woken = fiber::spawn([&] {
        go.wait();
        order += 'w';
    });
    auto other = fiber::spawn([&] { order += 'o'; });
    fiber::yield();
    CHECK(order == "o");
    auto before = fiber::spawn([&] { order += 'b'; });
    go.set();
    auto after = fiber::spawn([&] { order += 'a'; });
    woken.join();
    before.join();
    after.join();
    other.join();
    CHECK(order == "obwa");
}

TEST_CASE("scheduler: when all sleep, time jumps from deadline to deadline") {
    fiber_world world;
    const auto begin = world.time;
    std::vector<fiber::instant> woken;
    std::vector<fiber::handle<void>> sleepers;
    for (const auto length : {30ms, 10ms, 20ms})
        sleepers.push_back(fiber::spawn([&, length] {
            fiber::sleep(fiber::within(length));
            woken.push_back(world.time - begin);
        }));
    for (auto& one : sleepers)
        one.join();
    CHECK(woken == std::vector<fiber::instant>{10'000'000, 20'000'000, 30'000'000});
    CHECK(world.waits == 3);
}

TEST_CASE("scheduler: a sleep is never early, however often the machine wakes up before") {
    fiber_world world;
    world.wakes_at = [&](fiber::instant deadline) { return world.time + (deadline - world.time + 1) / 2; };
    const auto begin = world.time;
    CHECK(fiber::sleep(fiber::within(1ms)));
    CHECK(world.time >= begin + 1'000'000);
    CHECK(world.waits > 10);
}

TEST_CASE("scheduler: sleepers that are all late wake in the order of their deadlines") {
    fiber_world world;
    std::string order;
    std::vector<fiber::handle<void>> sleepers;
    for (const auto& [who, length] : {std::pair{'c', 3s}, std::pair{'a', 1s}, std::pair{'b', 2s}})
        sleepers.push_back(fiber::spawn([&, who = who, length = length] {
            fiber::sleep(fiber::within(length));
            order += who;
        }));
    fiber::yield();
    world.time += 10'000'000'000;
    for (auto& one : sleepers)
        one.join();
    CHECK(order == "abc");
}

TEST_CASE("scheduler: a limit that has passed ends a wait at once, and lets nobody run") {
    fiber_world world;
    bool ran = false;
    auto other = fiber::spawn([&] { ran = true; });
    fiber::event never_set;
    CHECK(!never_set.wait(fiber::within(0ns)));
    CHECK(!never_set.wait(fiber::within(-5s)));
    CHECK(!never_set.wait(fiber::wait_limit{0}));
    std::stop_source stop;
    stop.request_stop();
    CHECK(!never_set.wait(stop.get_token()));
    CHECK(!fiber::sleep(stop.get_token()));
    CHECK(!ran);
    other.join();
}

TEST_CASE("scheduler: durations that nanoseconds cannot count are for ever") {
    fiber_world world;
    using namespace std::chrono;
    CHECK(fiber::instant_after(hours::max()) == fiber::never);
    CHECK(fiber::instant_after(nanoseconds::max()) == fiber::never);
    CHECK(fiber::instant_after(duration<double>{1e300}) == fiber::never);
    CHECK(fiber::instant_after(duration<double>{std::numeric_limits<double>::quiet_NaN()}) == fiber::never);
    CHECK(fiber::instant_after(hours::min()) == world.time);
    CHECK(fiber::instant_after(duration<double, std::nano>{0.25}) == world.time + 1);
    CHECK(fiber::until(fiber::clock::time_point::max()).deadline == fiber::never);
    CHECK(fiber::until(fiber::clock::time_point::min()).deadline == world.time);
    CHECK(fiber::until(fiber::clock::now() + 5ms).deadline == world.time + 5'000'000);
}

TEST_CASE("scheduler: a deadlock is reported once, and the next one again after something has ended it") {
    fiber_world world;
    fiber::event first;
    fiber::event second;
    int idle = 0;
    world.on_wait = [&] {
        if (++idle % 3 == 0)
            (first.is_set() ? second : first).set();
    };
    auto waiting = fiber::spawn([&] { first.wait(); });
    waiting.join();
    CHECK(idle == 3);
    CHECK(world.deadlocks == 1);
    second.wait();
    CHECK(idle == 6);
    CHECK(world.deadlocks == 2);
}

TEST_CASE("scheduler: a service that goes on and waits again makes no new deadlock of the same one") {
    fiber_world world;
    fiber::wait_queue device{"device", true};
    fiber::event never_set;
    bool done = false;
    auto service = fiber::spawn(
        [&] {
            while (!done)
                world.fibers.wait(device, {});
        },
        {.name = "service", .service = true});
    world.on_wait = [&] {
        world.fibers.signal(device);
        if (world.waits == 5) {
            done = true;
            never_set.set();
        }
    };
    never_set.wait();
    CHECK(world.deadlocks == 1);
    service.join();
}

TEST_CASE("scheduler: no deadlock while a timer is pending or a fiber waits for something outside") {
    fiber_world world;
    fiber::event lock;
    auto timed = fiber::spawn([&] { fiber::sleep(fiber::within(1ms)); });
    auto waiting = fiber::spawn([&] { lock.wait(); });
    timed.join();
    CHECK(world.deadlocks == 0);

    fiber::wait_queue device{"device", true};
    world.on_wait = [&] { world.fibers.signal(device); };
    auto driver = fiber::spawn([&] { world.fibers.wait(device, {}); });
    driver.join();
    CHECK(world.waits == 2);
    CHECK(world.deadlocks == 0);
    lock.set();
    waiting.join();
}

TEST_CASE("scheduler: a service that waits for a device hides no deadlock of the others") {
    fiber_world world;
    fiber::wait_queue device{"device", true};
    fiber::event never_set;
    auto service = fiber::spawn([&] { world.fibers.wait(device, {}); }, {.name = "service", .service = true});
    world.on_wait = [&] {
        world.fibers.signal(device);
        never_set.set();
    };
    never_set.wait();
    CHECK(world.deadlocks == 1);
    service.join();
}

TEST_CASE("scheduler: two fibers that hand values to and fro do not keep others from events and timers") {
    fiber_world world;
    bool done = false;
    mvar<int> to;
    mvar<int> fro;
    auto one = fiber::spawn([&] {
        while (!done) {
            REQUIRE(to.put(1));
            REQUIRE(fro.take());
            world.time += 1'000;
        }
        REQUIRE(to.put(0));
    });
    auto other = fiber::spawn([&] {
        while (*to.take() != 0)
            REQUIRE(fro.put(1));
    });
    CHECK(fiber::sleep(fiber::within(1ms)));
    fiber::event device;
    const auto polls = world.polls;
    world.on_poll = [&] {
        if (world.polls == polls + 5)
            device.set();
    };
    device.wait();
    CHECK(world.waits == 0);
    done = true;
    one.join();
    other.join();
}

TEST_CASE("scheduler: a fiber alone that yields sees events and timers") {
    fiber_world world;
    bool woken = false;
    auto sleeper = fiber::spawn([&] {
        fiber::sleep(fiber::within(1ms));
        woken = true;
    });
    for (int i = 0; i < 2'000 && !woken; ++i) {
        world.time += 10'000;
        fiber::yield();
    }
    CHECK(woken);
    CHECK(world.waits == 0);
    sleeper.join();
}

TEST_CASE("scheduler: a stop that is asked for ends a wait, with or without a deadline") {
    fiber_world world;
    fiber::event never_set;
    std::stop_source stop;
    fiber::wait_queue queue{"queue"};
    auto both = fiber::spawn([&] { return world.fibers.wait(queue, fiber::within(1h, stop.get_token())); });
    auto token = fiber::spawn([&] { return world.fibers.wait(queue, stop.get_token()); });
    auto asleep = fiber::spawn([&] { return fiber::sleep(fiber::within(1h, stop.get_token())); });
    fiber::yield();
    stop.request_stop();
    CHECK(queue.empty());
    CHECK(both.join() == fiber::wake::stopped);
    CHECK(token.join() == fiber::wake::stopped);
    CHECK(!asleep.join());
    CHECK(world.waits == 0);
}

TEST_CASE("scheduler: what comes first ends the wait: signal, stop or deadline, even when all come at once") {
    fiber_world world;
    fiber::wait_queue queue{"queue"};
    for (const auto first : {fiber::wake::signalled, fiber::wake::stopped, fiber::wake::timed_out}) {
        std::stop_source stop;
        auto waiting = fiber::spawn([&] { return world.fibers.wait(queue, fiber::within(1ms, stop.get_token())); });
        fiber::yield();
        if (first == fiber::wake::signalled)
            CHECK(world.fibers.signal(queue));
        if (first == fiber::wake::timed_out) {
            world.time += 2'000'000;
            while (!queue.empty())
                fiber::yield();
        }
        stop.request_stop();
        world.time += 2'000'000;
        CHECK(!world.fibers.signal(queue));
        CHECK(waiting.join() == first);
    }
}

TEST_CASE("scheduler: a fiber that waits in several places leaves all when one is signalled") {
    fiber_world world;
    fiber::wait_queue left{"left"};
    fiber::wait_queue right{"right"};
    auto waiting = fiber::spawn([&] {
        fiber::waiter second{.queue = &right};
        fiber::waiter first{.queue = &left, .sibling = &second};
        const auto how = world.fibers.wait_any(first, fiber::within(1h));
        return how == fiber::wake::signalled && world.fibers.current().fired == &second;
    });
    fiber::yield();
    CHECK(world.fibers.signal(right));
    CHECK(left.empty());
    CHECK(!world.fibers.signal(left));
    CHECK(waiting.join());
}

TEST_CASE("scheduler: the listing names each fiber, what it waits for and the stack that it used") {
    fiber_world world;
    fiber::event never_set;
    fiber::mutex lock;
    lock.lock();
    auto event = fiber::spawn([&] { never_set.wait(fiber::within(1s)); }, {.name = "waits"});
    auto locked = fiber::spawn([&] { lock.lock(), lock.unlock(); },
                               {.name = "a name that is longer than what is kept", .stack = 20'000});
    auto ended = fiber::spawn([&] { CHECK(fiber::name() == "ended"); }, {.name = "ended"});
    fiber::yield();
    auto fresh = fiber::spawn([] {}, {.name = "fresh"});
    test::reports();
    fiber::print_fibers();
    const std::string listing = test::reports();
    CAPTURE(listing);
    CHECK(listing.find("  fiber main: running\n") != std::string::npos);
    CHECK(listing.find("  fiber waits: waiting for event, with a deadline, ") != std::string::npos);
    CHECK(listing.find("  fiber a name that is longer t: waiting for mutex, ") != std::string::npos);
    CHECK(listing.find(" of 32768 bytes of stack used\n") != std::string::npos);
    CHECK(listing.find("  fiber ended: finished, ") != std::string::npos);
    CHECK(listing.find("  fiber fresh: runnable, ") != std::string::npos);
    lock.unlock();
    never_set.set();
}

namespace {
struct watch_for_test final : fiber::long_runs {};
}  // namespace

TEST_CASE("watchdog: names a fiber that ran too long when it yields, waits or ends, and no fiber that slept") {
    fiber_world world;
    watch_for_test watch;
    watch.start(10'000'000);
    test::reports();
    auto sleeper = fiber::spawn([] { fiber::sleep(fiber::within(1h)); }, {.name = "sleeper"});
    sleeper.join();
    fiber::sleep(fiber::within(1h));
    CHECK(test::reports().empty());

    const auto runs = [&](auto then) {
        return [&world, then] {
            world.time += 25'000'000;
            then();
        };
    };
    auto yields = fiber::spawn(runs([] { fiber::yield(); }), {.name = "yields"});
    auto waits = fiber::spawn(runs([] { fiber::sleep(fiber::within(1ms)); }), {.name = "waits"});
    auto ends = fiber::spawn(runs([] {}), {.name = "ends"});
    yields.join();
    waits.join();
    ends.join();
    CHECK(test::reports() ==
          "halvm: fiber yields ran for 25 ms without yielding\n"
          "halvm: fiber waits ran for 25 ms without yielding\n"
          "halvm: fiber ends ran for 25 ms without yielding\n");
    world.time += 25'000'000;
    fiber::yield();
    fiber::yield();
    CHECK(test::reports() == "halvm: fiber main ran for 25 ms without yielding\n");
    watch.stop();
    world.time += 25'000'000;
    fiber::yield();
    CHECK(test::reports().empty());
}

}  // namespace
