// SPDX-License-Identifier: BSD-3-Clause
// Starting fibers and what comes out of them: values, exceptions, ends, and what each fiber has of its own.
#include "child.hpp"
#include "fiber_world.hpp"

#include <array>
#include <cerrno>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace halvm;
using test::check_panic;
using test::fiber_world;

struct counted {
    explicit counted(int& living) : living_{&living} { ++*living_; }
    counted(const counted& other) : living_{other.living_} { ++*living_; }
    counted& operator=(const counted&) = delete;
    ~counted() { --*living_; }
    int* living_;
};

TEST_CASE("handle: join returns the value, also one that can only be moved, and nothing of void") {
    fiber_world world;
    auto number = fiber::spawn([] { return 42; });
    auto owner = fiber::spawn([text = std::make_unique<std::string>("moved")]() mutable { return std::move(text); });
    auto nothing = fiber::spawn([] {});
    CHECK(number.joinable());
    CHECK(number.join() == 42);
    CHECK(!number.joinable());
    CHECK(*owner.join() == "moved");
    static_assert(std::is_void_v<decltype(nothing.join())>);
    nothing.join();
}

TEST_CASE("handle: join throws what the fiber threw") {
    fiber_world world;
    auto thrower = fiber::spawn([]() -> int {
        fiber::yield();
        throw std::runtime_error{"from the fiber"};
    });
    CHECK_THROWS_WITH_AS(thrower.join(), "from the fiber", std::runtime_error);
    CHECK(!thrower.joinable());
    auto other_kind = fiber::spawn([] { throw 7; });
    fiber::yield();
    CHECK_THROWS_AS(other_kind.join(), int);
}

TEST_CASE("handle: wait tells whether the fiber has ended, up to a limit") {
    fiber_world world;
    auto one = fiber::spawn([] { fiber::sleep(fiber::within(10ms)); });
    CHECK(!one.wait(fiber::within(5ms)));
    std::stop_source stop;
    auto stopper = fiber::spawn([&] { stop.request_stop(); });
    CHECK(!one.wait(stop.get_token()));
    CHECK(one.joinable());
    CHECK(one.wait({}));
    CHECK(one.wait(fiber::within(0ns)));
    one.join();
    stopper.join();
}

TEST_CASE("handle: many may wait for the end of one fiber") {
    fiber_world world;
    auto one = fiber::spawn([] { fiber::sleep(fiber::within(1ms)); });
    int told = 0;
    std::vector<fiber::handle<void>> waiting;
    for (int i = 0; i < 5; ++i)
        waiting.push_back(fiber::spawn([&] { told += one.wait({}); }));
    fiber::yield();
    one.join();
    for (auto& other : waiting)
        other.join();
    CHECK(told == 5);
}

TEST_CASE("handle: destroying or assigning one asks the fiber to stop and waits for its end") {
    fiber_world world;
    int ended = 0;
    const auto until_stopped = [&](std::stop_token stop) {
        CHECK(!fiber::sleep(stop));
        fiber::sleep(fiber::within(1ms));
        ++ended;
    };
    {
        auto one = fiber::spawn(until_stopped);
        auto other = fiber::spawn(until_stopped);
        one = std::move(other);
        CHECK(ended == 1);
        CHECK(!other.joinable());
        auto moved = std::move(one);
    }
    CHECK(ended == 2);
    fiber::handle<int> empty;
    CHECK(!empty.joinable());
}

TEST_CASE("handle: request_stop is heard by who takes a token, once") {
    fiber_world world;
    auto listens = fiber::spawn([](std::stop_token stop) { return fiber::sleep(stop); });
    auto deaf = fiber::spawn([] { return fiber::sleep(fiber::within(1ms)); });
    fiber::yield();
    CHECK(listens.request_stop());
    CHECK(!listens.request_stop());
    CHECK(!deaf.request_stop());
    CHECK(!listens.join());
    CHECK(deaf.join());
}

TEST_CASE("handle: a detached fiber runs on, and nothing of it is left at its end") {
    fiber_world world;
    int living = 0;
    bool ended = false;
    auto one = fiber::spawn([&, mine = counted{living}] {
        fiber::sleep(fiber::within(1ms));
        ended = true;
        return mine;
    });
    one.detach();
    CHECK(!one.joinable());
    CHECK(living == 1);
    fiber::sleep(fiber::within(2ms));
    CHECK(ended);
    CHECK(living == 0);

    auto after_its_end = fiber::spawn([mine = counted{living}] { return mine; });
    fiber::yield();
    after_its_end.detach();
    CHECK(living == 0);
    std::size_t fibers = 0;
    world.fibers.for_each([&](const fiber::task&) { ++fibers; });
    CHECK(fibers == 1);
}

TEST_CASE("handle: what a function holds is destroyed in its own fiber, which may wait there") {
    fiber_world world;
    struct slow {
        explicit slow(std::string& where) : where_{&where} {}
        slow(slow&& other) noexcept : where_{std::exchange(other.where_, nullptr)} {}
        ~slow() {
            if (where_ == nullptr)
                return;
            fiber::sleep(fiber::within(1ms));
            *where_ = fiber::name();
        }
        std::string* where_;
    };
    std::string where;
    fiber::spawn([mine = slow{where}] {}, {.name = "detached"}).detach();
    auto innocent = fiber::spawn([&] { return world.time; });
    const auto begin = world.time;
    CHECK(innocent.join() == begin);
    fiber::sleep(fiber::within(2ms));
    CHECK(where == "detached");
}

TEST_CASE("handle: a function that cannot be copied into its fiber leaves nothing behind") {
    fiber_world world;
    struct refuses {
        refuses() = default;
        refuses(const refuses&) { throw std::logic_error{"no copy"}; }
        void operator()() const {}
    };
    const refuses one;
    CHECK_THROWS_AS(static_cast<void>(fiber::spawn(one)), std::logic_error);
    std::size_t fibers = 0;
    world.fibers.for_each([&](const fiber::task&) { ++fibers; });
    CHECK(fibers == 1);
}

TEST_CASE("handle: misuse panics and names the fiber and the rule") {
    fiber_world world;
    check_panic("fiber main: join called on a handle without a fiber", [] {
        auto one = fiber::spawn([] {});
        one.join();
        one.join();
    });
    check_panic("fiber main: detach called on a handle without a fiber", [] { fiber::handle<void>{}.detach(); });
    check_panic("fiber main: join called on a handle without a fiber", [] {
        auto one = fiber::spawn([] { fiber::sleep(fiber::within(1ms)); });
        auto first = fiber::spawn([&] { one.join(); });
        fiber::yield();
        one.join();
    });
    check_panic("fiber selfish: fiber joined by itself", [] {
        fiber::handle<void> self;
        self = fiber::spawn([&] { self.join(); }, {.name = "selfish"});
        fiber::sleep(fiber::within(1ms));
    });
    check_panic("fiber selfish: fiber joined by itself", [] {
        fiber::handle<void> self;
        self = fiber::spawn([&] { self.wait({}); }, {.name = "selfish"});
        fiber::sleep(fiber::within(1ms));
    });
}

TEST_CASE("handle: an exception that nobody can join ends the program") {
    const auto ends = [](auto work) {
        const auto end = test::in_child([&] {
            fiber_world world;
            work();
            return 0;
        });
        CAPTURE(end.errors);
        CHECK(end.signal == SIGABRT);
        CHECK(end.errors.find("nobody hears") != std::string::npos);
    };
    const auto throws = [] { throw std::runtime_error{"nobody hears"}; };
    ends([&] {
        fiber::spawn(throws).detach();
        fiber::yield();
    });
    ends([&] {
        auto one = fiber::spawn(throws);
        fiber::yield();
        one.detach();
    });
    ends([&] { auto destroyed = fiber::spawn(throws); });
}

TEST_CASE("exceptions: each fiber handles its own while others throw and catch") {
    fiber_world world;
    const auto nests = [](int id) {
        return [id] {
            for (int round = 0; round < 20; ++round)
                try {
                    throw id * 1000 + round;
                } catch (const int& outer) {
                    fiber::yield();
                    try {
                        fiber::sleep(fiber::within(std::chrono::microseconds(id)));
                        throw std::to_string(outer);
                    } catch (const std::string& inner) {
                        fiber::yield();
                        CHECK(inner == std::to_string(id * 1000 + round));
                    }
                    try {
                        std::rethrow_exception(std::current_exception());
                    } catch (int again) {
                        CHECK(again == id * 1000 + round);
                    }
                    fiber::yield();
                    CHECK(outer == id * 1000 + round);
                }
            CHECK(std::current_exception() == nullptr);
        };
    };
    std::vector<fiber::handle<void>> all;
    for (int id = 1; id <= 10; ++id)
        all.push_back(fiber::spawn(nests(id)));
    for (auto& one : all)
        one.join();
}

TEST_CASE("exceptions: a fiber that waits while one unwinds does not count as another's") {
    fiber_world world;
    struct waits_when_destroyed {
        ~waits_when_destroyed() {
            CHECK(std::uncaught_exceptions() == 1);
            fiber::sleep(fiber::within(1ms));
            CHECK(std::uncaught_exceptions() == 1);
        }
    };
    auto unwinds = fiber::spawn([] {
        const waits_when_destroyed one;
        throw std::runtime_error{"on its way"};
    });
    fiber::yield();
    CHECK(std::uncaught_exceptions() == 0);
    try {
        throw 1;
    } catch (int) {
        auto fresh =
            fiber::spawn([] { return std::current_exception() == nullptr && std::uncaught_exceptions() == 0; });
        CHECK(fresh.join());
    }
    CHECK_THROWS_AS(unwinds.join(), std::runtime_error);
    CHECK(std::uncaught_exceptions() == 0);
}

TEST_CASE("errno: each fiber has its own, which begins as zero") {
    fiber_world world;
    errno = ENOENT;
    auto one = fiber::spawn([] {
        const int begin = errno;
        errno = EINTR;
        fiber::yield();
        return begin == 0 && errno == EINTR;
    });
    fiber::yield();
    CHECK(errno == ENOENT);
    CHECK(one.join());
    CHECK(errno == ENOENT);
}

}  // namespace
