// SPDX-License-Identifier: BSD-3-Clause
// Random schedules: fibers that work for random times, wait with random limits, and are woken early or late.
#pragma once

#include "fiber_world.hpp"

#include <doctest/doctest.h>

#include <random>
#include <vector>

namespace halvm::test {

/// One seed, one world, one run.
class schedule {
public:
    explicit schedule(unsigned seed) : random_{seed} {
        world.wakes_at = [this](fiber::instant deadline) {
            switch (any(4)) {
            case 0: return world.time + (deadline - world.time) / 2;
            case 1: return deadline + any(3'000);
            default: return deadline;
            }
        };
    }

    /// Below `limit`.
    std::size_t any(std::size_t limit) { return random_() % limit; }
    bool once_in(std::size_t count) { return any(count) == 0; }

    /// A little work, a yield, a sleep, or nothing.
    void pause() {
        switch (any(4)) {
        case 0: world.time += any(2'000); break;
        case 1: fiber::yield(); break;
        case 2: fiber::sleep(fiber::within(std::chrono::nanoseconds{any(5'000)})); break;
        default: break;
        }
    }

    /// None, a deadline that may have passed, a token that somebody may stop, or both.
    fiber::wait_limit limit() {
        switch (any(5)) {
        case 0: return fiber::within(std::chrono::nanoseconds{any(4'000)});
        case 1: return stop.get_token();
        case 2: return fiber::within(std::chrono::nanoseconds{any(4'000)}, stop.get_token());
        default: return {};
        }
    }

    /// Asks all who listen to stop, and begins anew.
    void stop_some() {
        auto old = std::exchange(stop, std::stop_source{});
        old.request_stop();
    }

    /// Starts `count` fibers that each call `work(index)`, and waits for their ends.
    template <class Work>
    void run(std::size_t count, Work work) {
        std::vector<fiber::handle<void>> all;
        for (std::size_t i = 0; i < count; ++i)
            all.push_back(fiber::spawn([work, i] { work(i); }));
        for (auto& one : all)
            one.join();
    }

    fiber_world world;
    std::stop_source stop;

private:
    std::mt19937 random_;
};

/// Runs `work(schedule&)` for each of so many seeds.
template <class Work>
void schedules(unsigned count, Work work) {
    for (unsigned seed = 0; seed < count; ++seed) {
        CAPTURE(seed);
        schedule one{seed};
        work(one);
        REQUIRE(one.world.deadlocks == 0);
    }
}

}  // namespace halvm::test
