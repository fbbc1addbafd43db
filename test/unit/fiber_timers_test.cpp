// SPDX-License-Identifier: BSD-3-Clause
// The timing wheel against a multimap.
#include <halvm/fiber/timers.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>
#include <utility>
#include <vector>

namespace {

using halvm::fiber::instant;
using halvm::fiber::never;
using halvm::fiber::timer;
using halvm::fiber::timer_wheel;

/// A wheel, and what must be in it. Equal deadlines stay in the order of insertion in both, and one that lies behind
/// is as good as the present.
struct wheel_and_model {
    timer_wheel wheel;
    std::vector<timer> timers;
    std::multimap<instant, timer*> model;
    instant reached = 0;

    explicit wheel_and_model(std::size_t count) : timers(count) {}
    ~wheel_and_model() {
        while (!model.empty())
            cancel(*model.begin()->second);
    }

    void insert(timer& one, instant deadline) {
        wheel.insert(one, deadline);
        model.emplace(std::max(deadline, reached), &one);
    }
    void forget(timer& one) {
        // Where it stands when its deadline lay ahead, or where that had been reached already.
        auto at = std::ranges::find_if(model.lower_bound(one.deadline()), model.end(),
                                       [&](const auto& each) { return each.second == &one; });
        REQUIRE(at != model.end());
        model.erase(at);
    }
    void cancel(timer& one) {
        forget(one);
        wheel.cancel(one);
    }
    instant earliest() const { return model.empty() ? never : model.begin()->first; }
    /// No timer is earlier than the wheel says, and where there are few, it says exactly when the first is due.
    void check_earliest() {
        const instant bound = std::max(wheel.earliest(), reached);
        REQUIRE(bound <= earliest());
        REQUIRE((bound == earliest() || model.size() > 32));
    }
};

TEST_CASE("timers: any course of insertions, cancellations and expiries is a multimap's") {
    for (unsigned seed = 0; seed < 40; ++seed) {
        CAPTURE(seed);
        std::mt19937_64 random{seed};
        wheel_and_model both{200};
        const auto any = [&]() -> timer& { return both.timers[random() % both.timers.size()]; };
        instant now = random() % 1'000'000;
        for (int step = 0; step < 2'000; ++step) {
            timer& one = any();
            switch (random() % 4) {
            case 0:
            case 1:
                if (!one.pending()) {
                    const instant ahead = random() >> random() % 64;
                    const instant past = std::min<instant>(now, random() % 5'000);
                    both.insert(one, random() % 8 == 0 ? now - past : ahead < never - now ? now + ahead : never);
                }
                break;
            case 2:
                if (one.pending())
                    both.cancel(one);
                break;
            default: {
                const instant ahead = random() >> (random() % 40 + 24);
                now = ahead < never - now ? now + ahead : never;
                both.reached = now;
                both.wheel.expire(now, [&](timer& fired) {
                    REQUIRE(!both.model.empty());
                    REQUIRE(both.model.begin()->second == &fired);
                    REQUIRE(both.model.begin()->first <= now);
                    REQUIRE(!fired.pending());
                    both.forget(fired);
                    if (timer& other = any(); random() % 4 == 0 && other.pending())
                        both.cancel(other);
                    if (timer& other = any(); random() % 4 == 0 && !other.pending() && now < never - 10'000)
                        both.insert(other, now + 1 + random() % 5'000);
                });
                REQUIRE((now == never || both.earliest() > now));
            }
            }
            both.check_earliest();
            REQUIRE(both.wheel.size() == both.model.size());
        }
    }
}

TEST_CASE("timers: a long jump fires all that it passes in the order of their deadlines") {
    wheel_and_model both{1'000};
    std::mt19937_64 random{7};
    for (timer& one : both.timers)
        both.insert(one, 1 + random() % 3'600'000'000'000);
    both.wheel.expire(3'600'000'000'001, [&](timer& fired) {
        REQUIRE(both.model.begin()->second == &fired);
        both.forget(fired);
    });
    CHECK(both.wheel.empty());
}

TEST_CASE("timers: equal deadlines fire in the order of insertion, and one may cancel the rest") {
    wheel_and_model both{100};
    for (timer& one : both.timers)
        both.insert(one, 5'000'000);
    std::size_t fired = 0;
    both.wheel.expire(4'999'999, [&](timer&) { ++fired; });
    CHECK(fired == 0);
    both.wheel.expire(5'000'000, [&](timer& one) {
        REQUIRE(&one == &both.timers[fired]);
        both.forget(one);
        if (++fired == 50)
            for (timer& other : both.timers)
                if (other.pending())
                    both.cancel(other);
    });
    CHECK(fired == 50);
    CHECK(both.wheel.empty());
    CHECK(both.wheel.earliest() == never);
}

TEST_CASE("timers: a deadline that has passed fires at the next expiry, or in the one under way") {
    timer_wheel wheel;
    timer one;
    timer other;
    wheel.expire(1'000'000'000, [](timer&) { FAIL("nothing is there"); });
    wheel.insert(one, 5);
    CHECK(wheel.earliest() == 5);
    int fired = 0;
    wheel.expire(1'000'000'000, [&](timer&) {
        if (++fired == 1)
            wheel.insert(other, 0);
    });
    CHECK(fired == 2);
    CHECK(wheel.empty());
}

TEST_CASE("timers: who wakes when the wheel says comes to each in few steps, though the earliest are cancelled") {
    std::mt19937_64 random{11};
    wheel_and_model both{5'000};
    // All of them begin in the same slot of a high level.
    for (timer& one : both.timers)
        both.insert(one, (instant{1} << 40) + random() % (instant{1} << 38));
    std::size_t steps = 0;
    std::size_t gone = 0;
    while (!both.model.empty()) {
        ++steps;
        both.reached = std::max(both.reached, both.wheel.earliest());
        REQUIRE(both.reached <= both.earliest());
        both.wheel.expire(both.reached, [&](timer& fired) {
            REQUIRE(fired.deadline() == both.reached);
            both.forget(fired);
            ++gone;
        });
        if (!both.model.empty()) {
            both.cancel(*both.model.begin()->second);
            ++gone;
        }
        // What the wheel asks for lies ahead, or the next step takes a slot apart.
        REQUIRE(steps <= 11 * (gone + 1));
    }
    CHECK(gone == both.timers.size());
    CHECK(steps < 2 * gone);
}

TEST_CASE("timers: the last instant that there is can be waited for") {
    timer_wheel wheel;
    timer last;
    timer before;
    wheel.insert(last, never);
    wheel.insert(before, never - 1);
    CHECK(wheel.earliest() == never - 1);
    std::vector<timer*> fired;
    wheel.expire(never - 1, [&](timer& one) { fired.push_back(&one); });
    CHECK(fired == std::vector{&before});
    wheel.expire(never, [&](timer& one) { fired.push_back(&one); });
    CHECK(fired == std::vector{&before, &last});
}

TEST_CASE("timers: cancelled in any order, nothing is left, and the earliest is always known") {
    std::mt19937_64 random{3};
    wheel_and_model both{300};
    for (timer& one : both.timers)
        both.insert(one, random() >> random() % 50);
    while (!both.model.empty()) {
        auto at = both.model.begin();
        if (random() % 2 == 0)
            std::advance(at, static_cast<long>(random() % both.model.size()));
        both.cancel(*at->second);
        both.check_earliest();
    }
    CHECK(both.wheel.empty());
}

}  // namespace
