// SPDX-License-Identifier: BSD-3-Clause
// Locks and conditions under random schedules: never two owners, nobody forgotten.
#include "schedules.hpp"

#include <mutex>

namespace {

using namespace halvm;
using test::schedule;
using test::schedules;

constexpr unsigned seeds = 4'000;

TEST_CASE("mutex: one owner at any time, and everybody gets it or gives up") {
    schedules(seeds, [](schedule& s) {
        fiber::mutex lock;
        int inside = 0;
        std::size_t got = 0;
        std::size_t gave_up = 0;
        const std::size_t fibers = 2 + s.any(8);
        s.run(fibers, [&](std::size_t) {
            for (int round = 0; round < 8; ++round) {
                s.pause();
                if (s.once_in(10))
                    s.stop_some();
                const auto limit = s.limit();
                if (s.once_in(8) ? lock.try_lock() : lock.lock(limit)) {
                    REQUIRE(++inside == 1);
                    REQUIRE(lock.held());
                    s.pause();
                    REQUIRE(--inside == 0);
                    ++got;
                    lock.unlock();
                } else {
                    ++gave_up;
                }
            }
        });
        REQUIRE(got + gave_up == fibers * 8);
        REQUIRE(lock.try_lock());
        lock.unlock();
    });
}

TEST_CASE("shared mutex: readers together or a writer alone, whoever gives up") {
    schedules(seeds, [](schedule& s) {
        fiber::shared_mutex lock;
        int readers = 0;
        int writers = 0;
        s.run(2 + s.any(8), [&](std::size_t) {
            for (int round = 0; round < 8; ++round) {
                s.pause();
                if (s.once_in(10))
                    s.stop_some();
                if (s.once_in(3)) {
                    if (!lock.lock(s.limit()))
                        continue;
                    REQUIRE((++writers == 1 && readers == 0));
                    s.pause();
                    --writers;
                    lock.unlock();
                } else {
                    if (!lock.lock_shared(s.limit()))
                        continue;
                    ++readers;
                    REQUIRE(writers == 0);
                    s.pause();
                    REQUIRE(writers == 0);
                    --readers;
                    lock.unlock_shared();
                }
            }
        });
        REQUIRE(lock.try_lock());
        lock.unlock();
    });
}

TEST_CASE("semaphore: never more inside than it has, and none is lost") {
    schedules(seeds, [](schedule& s) {
        const std::size_t count = 1 + s.any(3);
        fiber::semaphore free{count};
        std::size_t inside = 0;
        s.run(2 + s.any(8), [&](std::size_t) {
            for (int round = 0; round < 8; ++round) {
                s.pause();
                if (s.once_in(10))
                    s.stop_some();
                if (!free.acquire(s.limit()))
                    continue;
                REQUIRE(++inside <= count);
                s.pause();
                --inside;
                free.release();
            }
        });
        REQUIRE(free.available() == count);
    });
}

TEST_CASE("condition variable: a bounded buffer of a mutex and two conditions loses nothing and wakes everybody") {
    schedules(seeds, [](schedule& s) {
        fiber::mutex lock;
        fiber::condition_variable room;
        fiber::condition_variable filled;
        std::size_t held = 0;
        std::size_t made = 0;
        std::size_t used = 0;
        const std::size_t pairs = 1 + s.any(4);
        const std::size_t capacity = 1 + s.any(3);
        s.run(2 * pairs, [&](std::size_t who) {
            for (int round = 0; round < 6; ++round) {
                s.pause();
                if (s.once_in(10))
                    s.stop_some();
                std::unique_lock own{lock};
                auto& mine = who % 2 == 0 ? room : filled;
                const auto may = [&] { return who % 2 == 0 ? held < capacity : held > 0; };
                // Who gives up tries again, so that all is made and used in the end.
                while (!mine.wait(own, may, s.limit()))
                    s.pause();
                REQUIRE(lock.held());
                if (who % 2 == 0) {
                    ++held, ++made;
                    filled.notify_one();
                } else {
                    --held, ++used;
                    room.notify_one();
                }
            }
        });
        REQUIRE(made == 6 * pairs);
        REQUIRE(used == made);
    });
}

TEST_CASE("barrier and wait group: nobody passes before all have come") {
    schedules(seeds, [](schedule& s) {
        const std::size_t fibers = 1 + s.any(8);
        fiber::barrier gate{fibers};
        fiber::wait_group work;
        fiber::latch begun{fibers};
        std::size_t arrived = 0;
        std::size_t last = 0;
        work.add(fibers);
        s.run(fibers, [&](std::size_t) {
            begun.arrive_and_wait();
            for (std::size_t round = 0; round < 5; ++round) {
                s.pause();
                ++arrived;
                last += gate.arrive_and_wait();
                REQUIRE(arrived >= fibers * (round + 1));
                REQUIRE(arrived < fibers * (round + 2));
            }
            work.done();
            REQUIRE(work.wait());
            REQUIRE(arrived == fibers * 5);
        });
        REQUIRE(last == 5);
    });
}

TEST_CASE("barrier: who gives up takes its arrival back, and each round lets as many pass as it is made for") {
    schedules(seeds / 2, [](schedule& s) {
        const std::size_t count = 1 + s.any(4);
        fiber::barrier gate{count};
        std::size_t passed = 0;
        std::size_t opened = 0;
        std::size_t busy = count + s.any(4);
        s.run(busy, [&](std::size_t) {
            for (int round = 0; round < 6; ++round) {
                s.pause();
                if (s.once_in(10))
                    s.stop_some();
                // Nobody waits for ever: the others may have left.
                const auto limit = fiber::within(std::chrono::nanoseconds{s.any(4'000)}, s.stop.get_token());
                if (const auto got = gate.arrive_and_wait(limit)) {
                    ++passed;
                    opened += *got;
                }
            }
        });
        REQUIRE(passed == opened * count);
        // All arrivals that came to nothing were taken back: it takes as many as ever to open it.
        std::size_t last = 0;
        s.run(count, [&](std::size_t) { last += gate.arrive_and_wait(); });
        REQUIRE(last == 1);
    });
}

TEST_CASE("recursive mutex, latch and wait group: limits come at any time, and nobody is forgotten") {
    schedules(seeds / 2, [](schedule& s) {
        fiber::recursive_mutex lock;
        fiber::latch gate{4};
        fiber::wait_group work;
        std::size_t inside = 0;
        std::size_t through = 0;
        work.add(4);
        s.run(8, [&](std::size_t who) {
            for (int round = 0; round < 4; ++round) {
                s.pause();
                if (s.once_in(10))
                    s.stop_some();
                const std::size_t depth = 1 + s.any(3);
                std::size_t taken = 0;
                while (taken < depth && lock.lock(s.limit()))
                    ++taken;
                REQUIRE((taken == 0 || taken == depth));
                inside += taken != 0;
                REQUIRE((taken == 0 || inside == 1));
                s.pause();
                inside -= taken != 0;
                while (taken-- != 0)
                    lock.unlock();
            }
            if (who < 4) {
                gate.count_down();
                work.done();
                return;
            }
            while (!gate.wait(s.limit()) || !work.wait(s.limit()))
                s.pause();
            REQUIRE((gate.try_wait() && work.try_wait()));
            ++through;
        });
        REQUIRE(through == 4);
        REQUIRE(lock.try_lock());
        lock.unlock();
    });
}

}  // namespace
