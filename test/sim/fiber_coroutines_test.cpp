// SPDX-License-Identifier: BSD-3-Clause
// Coroutines among fibers, under random schedules: what is true of fibers is true of both.
#include "schedules.hpp"

#include <memory>
#include <optional>
#include <set>
#include <utility>

namespace {

using namespace halvm;
using test::schedule;
using test::schedules;
namespace co = fiber::co;

constexpr unsigned seeds = 1'000;

/// Runs so many fibers and coroutines; the coroutines in one or two crews.
template <class Fiber, class Coroutine>
void run_both(schedule& s, std::size_t count, Fiber by_fiber, Coroutine by_coroutine) {
    std::vector<fiber::crew> crews(1 + s.any(2));
    std::vector<fiber::handle<void>> all;
    for (std::size_t i = 0; i < count; ++i)
        if (s.once_in(2))
            crews[s.any(crews.size())].start(by_coroutine(i));
        else
            all.push_back(fiber::spawn([=] { by_fiber(i); }));
    for (auto& crew : crews)
        all.push_back(fiber::spawn([&crew] { crew.run(); }));
    for (auto& one : all)
        one.join();
}

fiber::coroutine<> pause(schedule& s) {
    if (s.once_in(2))
        co_await co::sleep(fiber::within(std::chrono::nanoseconds{s.any(5'000)}));
    else
        s.world.time += s.any(2'000);
}

TEST_CASE("coroutines: one owner of a mutex at any time, be it a fiber or a coroutine") {
    schedules(seeds, [](schedule& s) {
        fiber::mutex lock;
        int inside = 0;
        std::size_t done = 0;
        const std::size_t count = 2 + s.any(8);
        run_both(
            s, count,
            [&](std::size_t) {
                for (int round = 0; round < 6; ++round, ++done) {
                    s.pause();
                    if (s.once_in(10))
                        s.stop_some();
                    if (!lock.lock(s.limit()))
                        continue;
                    REQUIRE(++inside == 1);
                    s.pause();
                    --inside;
                    lock.unlock();
                }
            },
            [&](std::size_t) -> fiber::coroutine<> {
                for (int round = 0; round < 6; ++round, ++done) {
                    co_await pause(s);
                    auto held = co_await co::lock(lock, s.limit());
                    if (held) {
                        REQUIRE(++inside == 1);
                        co_await pause(s);
                        --inside;
                    }
                }
            });
        REQUIRE(done == count * 6);
        REQUIRE(lock.try_lock());
        lock.unlock();
    });
}

TEST_CASE("coroutines: each value that was sent arrives once, whoever sends and whoever receives") {
    schedules(seeds, [](schedule& s) {
        channel<std::unique_ptr<std::size_t>> queue{s.any(4)};
        std::set<std::size_t> sent;
        std::set<std::size_t> received;
        std::size_t sending = 2 + s.any(4);
        const std::size_t senders = sending;
        const auto number = [](std::size_t who, std::size_t round) { return who * 100 + round; };
        const auto end = [&] {
            if (--sending == 0)
                queue.close();
        };
        run_both(
            s, senders + 1 + s.any(4),
            [&](std::size_t who) {
                for (std::size_t round = 0; who < senders && round < 8; ++round) {
                    s.pause();
                    if (s.once_in(12))
                        s.stop_some();
                    const std::size_t own = number(who, round);
                    if (queue.send(std::make_unique<std::size_t>(own), s.limit()))
                        sent.insert(own);
                }
                if (who < senders)
                    return end();
                while (auto one = queue.receive())
                    REQUIRE(received.insert(**one).second);
            },
            [&](std::size_t who) -> fiber::coroutine<> {
                for (std::size_t round = 0; who < senders && round < 8; ++round) {
                    co_await pause(s);
                    const std::size_t own = number(who, round);
                    auto value = std::make_unique<std::size_t>(own);
                    const auto done = co_await co::send(queue, std::move(value), s.limit());
                    if (done)
                        sent.insert(own);
                }
                if (who < senders) {
                    end();
                    co_return;
                }
                for (;;) {
                    std::optional<std::unique_ptr<std::size_t>> one;
                    const auto soon = fiber::after(std::chrono::nanoseconds{s.any(3'000)});
                    const auto which = co_await co::select({}, fiber::receiving(queue, one), soon);
                    if (*which == 0 && !one)
                        co_return;
                    if (one)
                        REQUIRE(received.insert(**one).second);
                }
            });
        REQUIRE(sent == received);
    });
}

TEST_CASE("coroutines: semaphore and shared mutex, whoever gives up, and nothing is kept") {
    schedules(seeds, [](schedule& s) {
        fiber::semaphore free{2};
        fiber::shared_mutex lock;
        const std::size_t count = 2 + s.any(6);
        {
            fiber::crew crew;
            bool stopped = false;
            const auto uses = [&](std::size_t who) -> fiber::coroutine<> {
                while (!stopped) {
                    co_await pause(s);
                    if (!co_await co::acquire(free, s.limit()))
                        continue;
                    {
                        auto held = co_await co::lock_shared(lock);
                        co_await pause(s);
                    }
                    if (who % 2 == 0) {
                        auto held = co_await co::lock(lock, s.limit());
                        co_await pause(s);
                    }
                    free.release();
                }
            };
            for (std::size_t i = 0; i < count; ++i)
                crew.start(uses(i));
            auto other = fiber::spawn([&] {
                for (int round = 0; round < 10; ++round) {
                    s.pause();
                    if (s.once_in(4))
                        s.stop_some();
                    if (lock.lock(s.limit())) {
                        s.pause();
                        lock.unlock();
                    }
                }
                stopped = true;
                s.stop_some();
            });
            crew.run();
            other.join();
        }
        REQUIRE(free.available() == 2);
        REQUIRE(lock.try_lock());
        lock.unlock();
    });
}

}  // namespace
