// SPDX-License-Identifier: BSD-3-Clause
// Waiting for the first of several things.
#include "child.hpp"
#include "fiber_world.hpp"

#include <memory>
#include <optional>

namespace {

using namespace std::chrono_literals;
using namespace halvm;
using test::check_panic;
using test::fiber_world;

TEST_CASE("select: of what has come already, the first that is named is done, and nothing else") {
    fiber_world world;
    channel<int> empty{1};
    channel<int> one{1};
    channel<int> other{1};
    REQUIRE(one.send(1));
    REQUIRE(other.send(2));
    std::optional<int> a = 7;
    std::optional<int> b;
    std::optional<int> c;
    CHECK(*fiber::select({}, fiber::receiving(empty, a), fiber::receiving(one, b), fiber::receiving(other, c)) == 1);
    CHECK(!a);
    CHECK(b == 1);
    CHECK(!c);
    CHECK(other.size() == 1);
    std::optional<int> value = 3;
    CHECK(*fiber::select({}, fiber::sending(other, value), fiber::sending(one, value)) == 1);
    CHECK(!value);
    CHECK(*one.receive() == 3);
    fiber::event happened;
    happened.set();
    CHECK(*fiber::select(fiber::wait_limit{0}, fiber::happening(happened)) == 0);
    CHECK(*fiber::select({}, fiber::receiving(empty, a), fiber::after(-1s)) == 1);
    CHECK(world.waits == 0);
}

TEST_CASE("select: each kind of case ends the wait, and the fiber leaves all other places") {
    fiber_world world;
    channel<std::unique_ptr<int>> in{0};
    channel<std::unique_ptr<int>> out{0};
    mvar<int> place;
    fiber::event happened;
    std::optional<std::unique_ptr<int>> received;
    std::optional<std::unique_ptr<int>> sent;
    std::optional<int> taken;
    const auto waits = [&] {
        sent = std::make_unique<int>(9);
        return *fiber::select({}, fiber::receiving(in, received), fiber::sending(out, sent),
                              fiber::taking(place, taken), fiber::happening(happened), fiber::after(1ms));
    };
    const auto nobody_is_left = [&] {
        return in.receivers().empty() && out.senders().empty() && place.takers().empty() && happened.queue().empty();
    };
    for (std::size_t which = 0; which < 5; ++which) {
        CAPTURE(which);
        auto selecting = fiber::spawn(waits);
        fiber::yield();
        CHECK(!nobody_is_left());
        switch (which) {
        case 0: REQUIRE(in.send(std::make_unique<int>(5))); break;
        case 1: CHECK(**out.receive() == 9); break;
        case 2: REQUIRE(place.put(6)); break;
        case 3: happened.set(); break;
        default: fiber::sleep(fiber::within(2ms));
        }
        CHECK(nobody_is_left());
        CHECK(selecting.join() == which);
        CHECK(received.has_value() == (which == 0));
        CHECK(sent.has_value() == (which != 1));
        CHECK(taken.has_value() == (which == 2));
        happened.reset();
    }
    CHECK(place.empty());
}

TEST_CASE("select: a channel that is closed is a case that has come, without a value and with nothing sent") {
    fiber_world world;
    channel<int> in;
    channel<int> out{0};
    std::optional<int> received;
    std::optional<int> sent = 1;
    const auto waits = [&] { return *fiber::select({}, fiber::receiving(in, received), fiber::sending(out, sent)); };
    auto selecting = fiber::spawn(waits);
    fiber::yield();
    out.close();
    CHECK(selecting.join() == 1);
    CHECK(sent == 1);
    CHECK(waits() == 1);
    auto receiving = fiber::spawn([&] { return *fiber::select({}, fiber::receiving(in, received)); });
    fiber::yield();
    in.close();
    CHECK(receiving.join() == 0);
    CHECK(!received);
    CHECK(waits() == 0);
}

TEST_CASE("select: the limit is an error, the time of a case is not") {
    fiber_world world;
    channel<int> queue;
    std::optional<int> value;
    const auto begin = world.time;
    const auto late = fiber::select(fiber::within(1ms), fiber::receiving(queue, value), fiber::after(2ms));
    CHECK(late.error() == std::make_error_code(std::errc::timed_out));
    CHECK(late.error().message() == "wait for one of several: Connection timed out");
    CHECK(world.time == begin + 1'000'000);
    CHECK(*fiber::select(fiber::within(3ms), fiber::after(2ms), fiber::after(1ms)) == 1);
    CHECK(world.time == begin + 2'000'000);
    std::stop_source stop;
    auto stopper = fiber::spawn([&] { stop.request_stop(); });
    const auto stopped = fiber::select(stop.get_token(), fiber::receiving(queue, value), fiber::after(1s));
    CHECK(stopped.error() == std::make_error_code(std::errc::operation_canceled));
    CHECK(queue.receivers().empty());
    stopper.join();
}

TEST_CASE("select: two fibers that would send or receive on one channel meet") {
    fiber_world world;
    channel<int> meeting{0};
    const auto offers = [&](int own) {
        return [&, own] {
            std::optional<int> sent = own;
            std::optional<int> received;
            CHECK(fiber::select({}, fiber::sending(meeting, sent), fiber::receiving(meeting, received)));
            return received.value_or(0);
        };
    };
    auto one = fiber::spawn(offers(1));
    auto other = fiber::spawn(offers(2));
    CHECK(one.join() + other.join() == 2);
}

TEST_CASE("select: sending no value panics") {
    fiber_world world;
    check_panic("Precondition failed: value.has_value()", [] {
        channel<int> queue;
        std::optional<int> nothing;
        static_cast<void>(fiber::select({}, fiber::sending(queue, nothing)));
    });
}

}  // namespace
