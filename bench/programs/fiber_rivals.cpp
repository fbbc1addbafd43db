// SPDX-License-Identifier: BSD-3-Clause
// Fibers of a process beside Boost.Fiber's and the system's threads, in turn, so that all have the same weather.
// Prints: metric, ours, rival, theirs; nanoseconds, the median of the rounds. Pin it to one core.
#include <halvm/fiber.hpp>

#include <boost/fiber/all.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <map>
#include <random>
#include <vector>

namespace {

namespace fiber = halvm::fiber;
namespace boosted = boost::fibers;

constexpr int rounds = 11;

double once(long times, const std::function<void()>& run) {
    const auto before = std::chrono::steady_clock::now();
    run();
    return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - before).count() /
           static_cast<double>(times);
}

void compare(const char* metric, const char* rival, long times, const std::function<void()>& ours,
             const std::function<void()>& theirs) {
    std::vector<double> our, their;
    for (int round = 0; round < rounds; ++round) {
        our.push_back(once(times, ours));
        their.push_back(once(times, theirs));
    }
    std::ranges::sort(our);
    std::ranges::sort(their);
    std::printf("%s\t%.1f\t%s\t%.1f\n", metric, our[rounds / 2], rival, their[rounds / 2]);
    std::fflush(stdout);
}

template <class Spawn, class Yield>
void two_yield(long times, Spawn spawn, Yield yield) {
    const auto body = [=] {
        for (long i = 0; i < times; ++i)
            yield();
    };
    auto left = spawn(body);
    auto right = spawn(body);
    left.join();
    right.join();
}

void timers() {
    constexpr std::size_t pending = 1'000'000;
    constexpr long times = 200'000;
    std::mt19937_64 random{1};
    const auto deadline = [&] { return 1'000'000'000 + random() % 3'600'000'000'000; };

    fiber::timer_wheel wheel;
    std::vector<fiber::timer> many(pending);
    std::multimap<fiber::instant, int> tree;
    for (auto& one : many) {
        wheel.insert(one, deadline());
        tree.emplace(deadline(), 0);
    }
    fiber::timer one;
    compare(
        "timer insert and cancel, 1,000,000 pending", "std::multimap", times,
        [&] {
            for (long i = 0; i < times; ++i) {
                wheel.insert(one, deadline());
                wheel.cancel(one);
            }
        },
        [&] {
            for (long i = 0; i < times; ++i)
                tree.erase(tree.emplace(deadline(), 0));
        });
    for (auto& each : many)
        wheel.cancel(each);
}

}  // namespace

int halvm_main() {
    constexpr long switches = 200'000;
    compare(
        "yield", "Boost.Fiber", 2 * switches,
        [] {
            two_yield(
                switches, [](auto body) { return fiber::spawn(body); }, fiber::yield);
        },
        [] {
            two_yield(
                switches, [](auto body) { return boosted::fiber{body}; }, [] { boost::this_fiber::yield(); });
        });

    constexpr long spawns = 50'000;
    compare(
        "spawn_join", "Boost.Fiber", spawns,
        [] {
            for (long i = 0; i < spawns; ++i)
                fiber::spawn([] {}).join();
        },
        [] {
            boosted::pooled_fixedsize_stack stacks{65536};
            for (long i = 0; i < spawns; ++i)
                boosted::fiber{std::allocator_arg, stacks, [] {}}.join();
        });

    constexpr long messages = 200'000;
    compare(
        "channel", "Boost.Fiber", 2 * messages,
        [] {
            halvm::channel<long> there{64}, back{64};
            auto echo = fiber::spawn([&] {
                for (long i = 0; i < messages; ++i)
                    (void)back.send(there.receive().value());
            });
            for (long i = 0; i < messages; ++i) {
                (void)there.send(i);
                (void)back.receive();
            }
            echo.join();
        },
        [] {
            boosted::buffered_channel<long> there{64}, back{64};
            boosted::fiber echo{[&] {
                for (long i = 0, value = 0; i < messages; ++i) {
                    there.pop(value);
                    back.push(value);
                }
            }};
            for (long i = 0, value = 0; i < messages; ++i) {
                there.push(i);
                back.pop(value);
            }
            echo.join();
        });
    timers();
    return 0;
}
