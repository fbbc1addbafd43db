// SPDX-License-Identifier: BSD-3-Clause
// Stacks: their sizes, what happens at their ends, and that they are used again.
#include "child.hpp"
#include "fiber_world.hpp"

#include "fiber/stacks.hpp"

#include <array>
#include <csignal>
#include <cstring>
#include <new>
#include <set>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace halvm;
using test::check_panic;
using test::fiber_world;

std::byte* own_stack() { return fiber::this_scheduler().current().stack.base; }

TEST_CASE("stack: sizes are rounded up to a power of two") {
    fiber_world world;
    const auto size = [] { return fiber::this_scheduler().current().stack.size; };
    CHECK(fiber::spawn(size).join() == 64 * 1024);
    CHECK(fiber::spawn(size, {.stack = 4096}).join() == 4096);
    CHECK(fiber::spawn(size, {.stack = 100'000}).join() == 131'072);
    CHECK(fiber::spawn(size, {.stack = 2048, .guarded = false}).join() == 2048);
    CHECK(fiber::spawn(size, {.stack = std::size_t{1} << 30}).join() == std::size_t{1} << 30);
}

TEST_CASE("stack: too small or too large panics") {
    fiber_world world;
    const auto start = [](fiber::options wanted) { return [=] { fiber::spawn([] {}, wanted).join(); }; };
    check_panic("fiber main: stack is too small", start({.stack = 4095}));
    check_panic("fiber main: stack is too small", start({.stack = 2047, .guarded = false}));
    check_panic("fiber main: stack is too small", start({.stack = 0}));
    check_panic("fiber main: stack is larger than 1 GiB", start({.stack = (std::size_t{1} << 30) + 1}));
    check_panic("fiber main: stack is larger than 1 GiB", start({.stack = SIZE_MAX, .guarded = false}));
    check_panic("fiber main: stack is too small", [] {
        fiber::spawn([much = std::array<char, 4000>{}] { static_cast<void>(much); }, {.stack = 4096}).join();
    });
}

TEST_CASE("stack: what a fiber's function is aligned to is kept") {
    fiber_world world;
    struct alignas(256) aligned {
        int value = 5;
    };
    auto one = fiber::spawn(
        [much = aligned{}] { return reinterpret_cast<std::uintptr_t>(&much) % 256 == 0 && much.value == 5; });
    CHECK(one.join());
}

TEST_CASE("stack: one that was given back is the next that is handed out, guarded and packed apart") {
    fiber_world world;
    for (const bool guarded : {true, false}) {
        const fiber::options wanted{.stack = 16'384, .guarded = guarded};
        std::byte* const first = fiber::spawn(own_stack, wanted).join();
        for (int i = 0; i < 100; ++i)
            CHECK(fiber::spawn(own_stack, wanted).join() == first);
    }
    std::set<std::byte*> bases;
    std::vector<fiber::handle<void>> together;
    for (int i = 0; i < 100; ++i)
        together.push_back(
            fiber::spawn([&] { CHECK(bases.insert(own_stack()).second); }, {.stack = 8192, .guarded = i % 2 == 0}));
    for (auto& one : together)
        one.join();
}

/// Writes all of `depth` bytes of the stack below its caller's frame.
[[gnu::noinline]] void use_stack(std::size_t depth) {
    auto* const bytes = static_cast<volatile char*>(__builtin_alloca(depth));
    for (std::size_t i = depth; i != 0; --i)
        bytes[i - 1] = 1;
}

TEST_CASE("stack: the most that was used of it is known") {
    fiber_world world;
    auto one = fiber::spawn(
        [] {
            use_stack(100'000);
            fiber::sleep(fiber::within(1s));
        },
        {.name = "deep", .stack = 262'144});
    fiber::yield();
    world.fibers.for_each([](const fiber::task& each) {
        if (each.name() == "deep") {
            CHECK(fiber::stack_used(each.stack) >= 100'000);
            CHECK(fiber::stack_used(each.stack) < 120'000);
        }
    });
}

[[gnu::noinline, gnu::no_sanitize_address, gnu::no_sanitize_undefined]] void write_below_stack() {
    auto* const lowest = reinterpret_cast<volatile std::uint64_t*>(own_stack());
    lowest[0] = 1;
}

TEST_CASE("stack: an overrun without a guard is found when the fiber yields, waits or ends, and it is named") {
    fiber_world world;
    const fiber::options wanted{.name = "culprit", .stack = 16'384, .guarded = false};
    const std::string_view words = "stack overflow: fiber culprit wrote below its stack of 16384 bytes";
    const auto then = [&](auto what, bool alone) {
        check_panic(words, [&] {
            auto one = fiber::spawn(
                [&] {
                    write_below_stack();
                    what();
                },
                wanted);
            if (!alone)
                fiber::spawn([] { fiber::yield(); }).detach();
            one.join();
        });
    };
    for (const bool alone : {false, true}) {
        then([] { fiber::yield(); }, alone);
        then([] { fiber::sleep(fiber::within(1ms)); }, alone);
        then([] {}, alone);
    }
}

volatile std::uintptr_t guard_begin;

[[gnu::noinline]] int recurse(int depth) {
    volatile char room[256];
    room[0] = static_cast<char>(depth);
    return depth < 0 ? 0 : recurse(depth + 1) + room[0];
}

TEST_CASE("stack: the guard page stops an overflow") {
    const auto end = test::in_child([] {
        alignas(16) static std::array<char, 65'536> signal_stack;
        const stack_t alternate{signal_stack.data(), 0, signal_stack.size()};
        sigaltstack(&alternate, nullptr);
        struct sigaction action {};
        action.sa_flags = SA_SIGINFO | SA_ONSTACK;
        action.sa_sigaction = [](int, siginfo_t* info, void*) {
            const auto at = reinterpret_cast<std::uintptr_t>(info->si_addr);
            _exit(at >= guard_begin && at < guard_begin + 4096 ? 3 : 4);
        };
        sigaction(SIGSEGV, &action, nullptr);
        fiber_world world;
        fiber::spawn([] {
            guard_begin = reinterpret_cast<std::uintptr_t>(own_stack()) - 4096;
            return recurse(0);
        }).join();
        return 0;
    });
    CAPTURE(end.errors);
    CHECK(end.exit_status == 3);
}

[[gnu::noinline]] void write_at(volatile char* where) { *where = 1; }

TEST_CASE("stack: the sanitizer knows the stacks of fibers, of main, and of those that have ended") {
    fiber_world world;
    // An exception that unwinds makes the sanitizer clean the stack that it believes to be on.
    for (int round = 0; round < 50; ++round) {
        auto one = fiber::spawn([] {
            std::array<volatile char, 3000> room{};
            room[2999] = 1;
            fiber::yield();
            throw std::string{"out of a fiber"};
        });
        try {
            fiber::yield();
            std::array<volatile char, 3000> room{};
            room[0] = 1;
            one.join();
        } catch (const std::string&) {}
    }
    const auto end = test::in_child([] {
        auto one = fiber::spawn([] {
            std::array<char, 16> room{};
            fiber::yield();
            write_at(room.data() + 20);
            return room[0];
        });
        fiber::yield();
        one.join();
        return 0;
    });
    CHECK(end.errors.find("stack-buffer-overflow") != std::string::npos);
    CHECK(end.errors.find("ignoring requested") == std::string::npos);
}

TEST_CASE("stack: without memory for one, spawn throws bad_alloc") {
    fiber_world world;
    int living = 0;
    test::stacks_refused = true;
    CHECK_THROWS_AS(static_cast<void>(fiber::spawn([] {}, {.stack = std::size_t{1} << 25})), std::bad_alloc);
    test::stacks_refused = false;
    fiber::spawn([&] { ++living; }, {.stack = std::size_t{1} << 25}).join();
    CHECK(living == 1);
}

}  // namespace
