// SPDX-License-Identifier: BSD-3-Clause
// Fibers that come, sleep, wait for each other and end under random schedules.
#include "schedules.hpp"

#include <algorithm>
#include <exception>
#include <stdexcept>
#include <string>

namespace {

using namespace halvm;
using namespace std::chrono_literals;
using test::schedule;
using test::schedules;

constexpr unsigned seeds = 2'000;

std::size_t living(fiber::scheduler& own) {
    std::size_t count = 0;
    own.for_each([&](const fiber::task&) { ++count; });
    return count;
}

TEST_CASE("sleep: never early, whenever the machine wakes up") {
    schedules(seeds, [](schedule& s) {
        fiber::instant latest = 0;
        s.run(20, [&](std::size_t) {
            for (int round = 0; round < 5; ++round) {
                const fiber::instant deadline = s.world.time + s.any(s.once_in(3) ? 1'000'000'000 : 5'000);
                REQUIRE(fiber::sleep(fiber::wait_limit{deadline}));
                REQUIRE(s.world.time >= deadline);
                latest = std::max(latest, deadline);
            }
        });
        REQUIRE(s.world.time >= latest);
    });
}

TEST_CASE("wait: signal, deadline and stop together wake a fiber exactly once, and the first is what it is told") {
    schedules(seeds, [](schedule& s) {
        fiber::wait_queue queue{"queue"};
        std::size_t signals = 0;
        std::size_t signalled = 0;
        bool done = false;
        auto signaller = fiber::spawn([&] {
            while (!done) {
                signals += s.once_in(3) ? s.world.fibers.signal_all(queue) : s.world.fibers.signal(queue);
                if (s.once_in(4))
                    s.stop_some();
                s.pause();
                fiber::sleep(fiber::within(std::chrono::nanoseconds{1 + s.any(3'000)}));
            }
        });
        s.run(1 + s.any(10), [&](std::size_t) {
            for (int round = 0; round < 8; ++round) {
                s.pause();
                const auto limit = s.limit();
                const auto how = s.world.fibers.wait(queue, limit);
                signalled += how == fiber::wake::signalled;
                if (how == fiber::wake::timed_out)
                    REQUIRE(s.world.time >= limit.deadline);
                if (how == fiber::wake::stopped)
                    REQUIRE(limit.stop.stop_requested());
            }
        });
        done = true;
        signaller.join();
        REQUIRE(signals == signalled);
        REQUIRE(queue.empty());
    });
}

TEST_CASE("handles: joined, detached, stopped or destroyed at any time, every fiber ends once and leaves nothing") {
    schedules(seeds, [](schedule& s) {
        std::size_t begun = 0;
        std::size_t ended = 0;
        const auto work = [&](std::stop_token stop) {
            ++begun;
            for (int round = 0; round < 4 && !stop.stop_requested(); ++round) {
                s.pause();
                fiber::sleep(fiber::within(std::chrono::nanoseconds{s.any(10'000)}, stop));
            }
            ++ended;
            return std::to_string(ended);
        };
        std::size_t started = 0;
        s.run(1 + s.any(5), [&](std::size_t) {
            for (int round = 0; round < 8; ++round) {
                const fiber::options wanted{.stack = std::size_t{16'384} << s.any(2), .guarded = s.once_in(2)};
                auto one = fiber::spawn(work, wanted);
                ++started;
                s.pause();
                switch (s.any(6)) {
                case 0: one.detach(); break;
                case 1: REQUIRE(!one.join().empty()); break;
                case 2: one.request_stop(); break;
                case 3: {
                    auto thrower = fiber::spawn([&]() -> int {
                        s.pause();
                        throw std::runtime_error{"thrown"};
                    });
                    REQUIRE_THROWS_AS(thrower.join(), std::runtime_error);
                    break;
                }
                case 4:
                    if (one.wait(s.limit()))
                        REQUIRE(!one.join().empty());
                    break;
                default: break;
                }
            }
        });
        fiber::sleep(fiber::within(1s));
        REQUIRE(begun == started);
        REQUIRE(ended == started);
        REQUIRE(living(s.world.fibers) == 1);
    });
}

TEST_CASE("exceptions: each fiber has its own in flight while others throw, catch, rethrow and end") {
    schedules(seeds / 2, [](schedule& s) {
        struct pauses {
            schedule& s;
            int expected;
            ~pauses() {
                REQUIRE(std::uncaught_exceptions() == expected);
                s.pause();
                REQUIRE(std::uncaught_exceptions() == expected);
            }
        };
        s.run(2 + s.any(6), [&](std::size_t who) {
            for (std::size_t round = 0; round < 4; ++round) {
                const std::size_t own = who * 100 + round;
                try {
                    const pauses unwound{s, 1};
                    s.pause();
                    throw own;
                } catch (std::size_t caught) {
                    s.pause();
                    auto inner = fiber::spawn([&] {
                        REQUIRE(std::current_exception() == nullptr);
                        s.pause();
                        throw std::to_string(own);
                    });
                    try {
                        inner.join();
                    } catch (const std::string& text) {
                        s.pause();
                        REQUIRE(text == std::to_string(own));
                    }
                    REQUIRE(caught == own);
                    try {
                        throw;
                    } catch (std::size_t again) {
                        s.pause();
                        REQUIRE(again == own);
                    }
                }
                REQUIRE(std::current_exception() == nullptr);
                REQUIRE(std::uncaught_exceptions() == 0);
            }
        });
    });
}

TEST_CASE("joining: stopped, timed out or served at any time, each wait for an end tells the truth") {
    schedules(seeds / 2, [](schedule& s) {
        auto one = fiber::spawn([&](std::stop_token stop) {
            for (int round = 0; round < 6 && !stop.stop_requested(); ++round)
                s.pause();
            return 7;
        });
        bool over = false;
        s.run(1 + s.any(6), [&](std::size_t who) {
            for (int round = 0; round < 4; ++round) {
                s.pause();
                if (s.once_in(6))
                    s.stop_some();
                if (who == 0 && s.once_in(6))
                    one.request_stop();
                const auto limit = s.limit();
                const bool ended = one.wait(limit);
                over = over || ended;
                REQUIRE((ended || limit.deadline <= s.world.time || limit.stop.stop_requested()));
                REQUIRE((!over || one.wait(fiber::wait_limit{0})));
            }
        });
        REQUIRE(one.join() == 7);
    });
}

TEST_CASE("ten thousand fibers pass a value round, then all are stopped at once") {
    test::fiber_world world;
    constexpr int count = 10'000;
    std::vector<mvar<int>> places(count + 1);
    std::stop_source stop;
    std::vector<fiber::handle<bool>> all;
    for (int i = 0; i < count; ++i)
        all.push_back(fiber::spawn(
            [&, i] {
                const auto at = static_cast<std::size_t>(i);
                REQUIRE(places[at + 1].put(*places[at].take() + 1));
                return fiber::sleep(stop.get_token());
            },
            {.stack = 16'384, .guarded = false}));
    REQUIRE(places[0].put(0));
    CHECK(*places[count].take() == count);
    fiber::yield();
    CHECK(world.waits == 0);
    stop.request_stop();
    for (auto& one : all)
        REQUIRE(!one.join());
    CHECK(living(world.fibers) == 1);
}

}  // namespace
