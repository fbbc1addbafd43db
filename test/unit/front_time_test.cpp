// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>
#include <halvm/time.hpp>

#include <limits>
#include <random>
#include <ratio>

namespace {

using namespace std::chrono;
using namespace std::chrono_literals;
using halvm::clock;

constexpr auto forever = clock::time_point::max();

struct fresh_clock {
    fresh_clock() {
        clock::current = clock::time_point{1h};
        halvm::machine::sleeps = 0;
    }
    nanoseconds slept() const { return clock::now() - clock::time_point{1h}; }
};

TEST_CASE_FIXTURE(fresh_clock, "sleep_for: sleeps once, for the duration") {
    halvm::sleep_for(250ms);
    CHECK(slept() == 250ms);
    CHECK(halvm::machine::sleeps == 1);
}

TEST_CASE_FIXTURE(fresh_clock, "sleep_for: zero, negative and nonsensical durations do not sleep at all") {
    halvm::sleep_for(0s);
    halvm::sleep_for(-1ns);
    halvm::sleep_for(-1.5s);
    halvm::sleep_for(nanoseconds::min());
    halvm::sleep_for(duration<double>{std::numeric_limits<double>::quiet_NaN()});
    halvm::sleep_for(hours{std::numeric_limits<hours::rep>::min()});
    CHECK(halvm::machine::sleeps == 0);
}

TEST_CASE_FIXTURE(fresh_clock, "sleep_for: a part of a nanosecond is rounded up, never down") {
    halvm::sleep_for(duration<std::int64_t, std::pico>{1});
    CHECK(slept() == 1ns);
    halvm::sleep_for(duration<double, std::nano>{1.5});
    CHECK(slept() == 3ns);
}

TEST_CASE_FIXTURE(fresh_clock, "sleep_for: takes units of any size and type") {
    halvm::sleep_for(duration<unsigned char, std::deci>{std::uint8_t{7}});
    CHECK(slept() == 700ms);
    halvm::sleep_for(duration<float>{0.5F});
    CHECK(slept() == 1200ms);
    halvm::sleep_for(days{1});
    CHECK(slept() == 24h + 1200ms);
}

TEST_CASE_FIXTURE(fresh_clock, "sleep_for: what the clock cannot count is for ever") {
    const auto check = [](auto duration) {
        clock::current = clock::time_point{1h};
        halvm::sleep_for(duration);
        CHECK(clock::now() == forever);
    };
    check(nanoseconds::max());
    check(seconds::max());
    check(hours::max());
    check(years{1000});
    check(duration<double>{1e300});
    check(duration<double>{std::numeric_limits<double>::infinity()});
    check(duration<std::uint64_t, std::mega>{10'000});
}

TEST_CASE_FIXTURE(fresh_clock, "sleep_for: near the clock's end it never overflows and never wakes early") {
    std::mt19937_64 random{20260101};
    const auto near = [&random](std::int64_t about) {
        return about - 4000 + static_cast<std::int64_t>(random() % 8000);
    };
    for (int round = 0; round < 20'000; ++round) {
        const auto start = clock::time_point{nanoseconds{random() % 1'000'000'000'000}};
        const nanoseconds left = forever - start;
        const auto check = [&]<class Period>(duration<std::int64_t, Period> asked) {
            clock::current = start;
            halvm::sleep_for(asked);
            // In 128 bits, because nanoseconds are what may not hold it.
            const auto wanted = static_cast<__int128>(asked.count()) * (Period::num * std::nano::den / Period::den);
            if (wanted <= left.count())
                CHECK((clock::now() - start).count() >= static_cast<std::int64_t>(wanted));
            else
                CHECK(clock::now() == forever);
        };
        check(nanoseconds{left.count() - static_cast<std::int64_t>(random() % 8000)});
        check(microseconds{near(left.count() / 1000)});
        check(milliseconds{near(left.count() / 1'000'000)});
        check(seconds{near(left.count() / 1'000'000'000)});
    }
}

TEST_CASE_FIXTURE(fresh_clock, "sleep_until: is the machine's") {
    halvm::sleep_until(clock::time_point{2h});
    CHECK(slept() == 1h);
}

}  // namespace
