// SPDX-License-Identifier: BSD-3-Clause
// Fibers of a process beside Boost.Fiber's. Pin it to one core.
// Prints lines of metric, ours, unit, rival, theirs. Nanoseconds are the least of many short rounds, ours and theirs in
// turn: what else the machine does only makes a round longer. Instructions are counted one by one, and the same in
// each run.
#include <halvm/fiber.hpp>

#include <boost/fiber/all.hpp>

#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <functional>
#include <map>
#include <random>
#include <vector>

namespace {

namespace fiber = halvm::fiber;
namespace boosted = boost::fibers;

constexpr int rounds = 300;

double once(long times, const std::function<void(long)>& run) {
    const auto before = std::chrono::steady_clock::now();
    run(times);
    return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - before).count() /
           static_cast<double>(times);
}

/// `run(n)` does n of what is measured.
void compare(const char* metric, const char* rival, long times, const std::function<void(long)>& ours,
             const std::function<void(long)>& theirs) {
    double our = once(times, ours);
    double their = once(times, theirs);
    for (int round = 1; round < rounds; ++round) {
        our = std::min(our, once(times, ours));
        their = std::min(their, once(times, theirs));
    }
    std::printf("%s\t%.1f\tns\t%s\t%.1f\n", metric, our, rival, their);
    std::fflush(stdout);
}

/// How many instructions `run(times)` executes: a copy of this process does it, step by step.
long instructions_of(long times, const std::function<void(long)>& run) {
    const pid_t child = fork();
    if (child == 0) {
        ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
        raise(SIGSTOP);
        run(times);
        raise(SIGSTOP);
        _exit(0);
    }
    int status = 0;
    long steps = 0;
    waitpid(child, &status, 0);
    do {
        ptrace(PTRACE_SINGLESTEP, child, nullptr, nullptr);
        waitpid(child, &status, 0);
        ++steps;
    } while (WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP);
    ptrace(PTRACE_KILL, child, nullptr, nullptr);
    waitpid(child, &status, 0);
    return steps;
}

/// Of one, what its start and end cost not included.
void compare_counted(const char* metric, const char* rival, const std::function<void(long)>& ours,
                     const std::function<void(long)>& theirs) {
    constexpr long few = 200, more = 1'200;
    const auto of_one = [](const auto& run) {
        run(few);  // what is done once has been done
        return static_cast<double>(instructions_of(more, run) - instructions_of(few, run)) / (more - few);
    };
    const double our = of_one(ours);
    std::printf("%s, counted\t%.1f\tinstructions\t%s\t%.1f\n", metric, our, rival, of_one(theirs));
    std::fflush(stdout);
}

template <class Spawn, class Yield>
void two_yield(long times, Spawn spawn, Yield yield) {
    const auto body = [=] {
        for (long i = 0; i < times / 2; ++i)
            yield();
    };
    auto left = spawn(body);
    auto right = spawn(body);
    left.join();
    right.join();
}

void our_yields(long times) {
    two_yield(
        times, [](auto body) { return fiber::spawn(body); }, [] { fiber::yield(); });
}
void their_yields(long times) {
    two_yield(
        times, [](auto body) { return boosted::fiber{body}; }, [] { boost::this_fiber::yield(); });
}

void our_spawns(long times) {
    for (long i = 0; i < times; ++i)
        fiber::spawn([] {}).join();
}
void their_spawns(long times) {
    boosted::pooled_fixedsize_stack stacks{65536};
    for (long i = 0; i < times; ++i)
        boosted::fiber{std::allocator_arg, stacks, [] {}}.join();
}

// Each message goes there and comes back: two hand-overs, each to a fiber that waits.
void our_messages(long times) {
    halvm::channel<long> there{64}, back{64};
    auto echo = fiber::spawn([&] {
        for (long i = 0; i < times / 2; ++i)
            (void)back.send(there.receive().value());
    });
    for (long i = 0; i < times / 2; ++i) {
        (void)there.send(i);
        (void)back.receive();
    }
    echo.join();
}
void their_messages(long times) {
    boosted::buffered_channel<long> there{64}, back{64};
    boosted::fiber echo{[&] {
        for (long i = 0, value = 0; i < times / 2; ++i) {
            there.pop(value);
            back.push(value);
        }
    }};
    for (long i = 0, value = 0; i < times / 2; ++i) {
        there.push(i);
        back.pop(value);
    }
    echo.join();
}

void timers() {
    constexpr std::size_t pending = 1'000'000;
    constexpr long times = 2'000;
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
        [&](long count) {
            for (long i = 0; i < count; ++i) {
                wheel.insert(one, deadline());
                wheel.cancel(one);
            }
        },
        [&](long count) {
            for (long i = 0; i < count; ++i)
                tree.erase(tree.emplace(deadline(), 0));
        });

    // The worst that a program can do: all timers in one slot, and always the first of them is cancelled, looked for,
    // and inserted again.
    for (auto& each : many)
        wheel.cancel(each);
    tree.clear();
    constexpr fiber::instant far = fiber::instant{1} << 60;
    for (std::size_t i = 0; i < pending; ++i) {
        wheel.insert(many[i], far + i);
        tree.emplace(far + i, 0);
    }
    fiber::instant sum = 0;
    compare(
        "timer cancel, earliest, insert, 1,000,000 in one slot", "std::multimap", times,
        [&](long count) {
            for (long i = 0; i < count; ++i) {
                wheel.cancel(many.front());
                sum += wheel.earliest();
                wheel.insert(many.front(), far);
            }
        },
        [&](long count) {
            for (long i = 0; i < count; ++i) {
                tree.erase(tree.begin());
                sum += tree.begin()->first;
                tree.emplace(far, 0);
            }
        });
    if (sum == 0)
        std::puts("no timer was found");
    for (auto& each : many)
        wheel.cancel(each);
}

}  // namespace

int halvm_main() {
    compare("yield", "Boost.Fiber", 4'000, our_yields, their_yields);
    compare("spawn_join", "Boost.Fiber", 1'000, our_spawns, their_spawns);
    compare("channel", "Boost.Fiber", 2'000, our_messages, their_messages);
    compare_counted("yield", "Boost.Fiber", our_yields, their_yields);
    compare_counted("spawn_join", "Boost.Fiber", our_spawns, their_spawns);
    compare_counted("channel", "Boost.Fiber", our_messages, their_messages);
    timers();
    return 0;
}
