// SPDX-License-Identifier: BSD-3-Clause
// mvar and channel.
#include "child.hpp"
#include "fiber_world.hpp"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace halvm;
using test::check_panic;
using test::fiber_world;

const auto timed_out = std::make_error_code(std::errc::timed_out);
const auto canceled = std::make_error_code(std::errc::operation_canceled);
const auto closed = std::make_error_code(std::errc::broken_pipe);

TEST_CASE("mvar: take empties it, put fills it, read leaves it") {
    fiber_world world;
    mvar<int> place{1};
    CHECK(!place.empty());
    CHECK(*place.read() == 1);
    CHECK(*place.take() == 1);
    CHECK(place.empty());
    CHECK(!place.try_take());
    CHECK(place.put(2));
    int refused = 3;
    CHECK(!place.try_put(refused));
    CHECK(refused == 3);
    CHECK(place.put(4, fiber::within(1ms)).error() == timed_out);
    CHECK(*place.try_take() == 2);
    CHECK(place.take(fiber::within(1ms)).error() == timed_out);
    CHECK(place.read(fiber::within(1ms)).error() == timed_out);
    std::stop_source stop;
    auto stopper = fiber::spawn([&] { stop.request_stop(); });
    const auto taken = place.take(stop.get_token());
    CHECK(taken.error() == canceled);
    CHECK(taken.error().message() == "take from an mvar: Operation canceled");
    stopper.join();
}

TEST_CASE("mvar: values pass in the order in which fibers came, on either side") {
    fiber_world world;
    mvar<std::unique_ptr<int>> place;
    std::vector<int> taken;
    std::vector<fiber::handle<void>> all;
    for (int i = 0; i < 4; ++i)
        all.push_back(fiber::spawn([&, i] { CHECK(place.put(std::make_unique<int>(i))); }));
    fiber::yield();
    for (int i = 0; i < 8; ++i)
        all.push_back(fiber::spawn([&] { taken.push_back(**place.take()); }));
    fiber::yield();
    for (int i = 4; i < 8; ++i)
        CHECK(place.put(std::make_unique<int>(i)));
    for (auto& one : all)
        one.join();
    CHECK(taken == std::vector{0, 1, 2, 3, 4, 5, 6, 7});
    CHECK(place.empty());
}

TEST_CASE("mvar: a put serves all who wait to read, then one who waits to take") {
    fiber_world world;
    mvar<std::string> place;
    std::string order;
    std::vector<fiber::handle<void>> all;
    all.push_back(fiber::spawn([&] { order += "take " + *place.take() + "; "; }));
    for (int i = 0; i < 2; ++i)
        all.push_back(fiber::spawn([&] { order += "read " + *place.read() + "; "; }));
    fiber::yield();
    CHECK(place.put("it"));
    CHECK(place.empty());
    for (auto& one : all)
        one.join();
    CHECK(order == "read it; read it; take it; ");
    check_panic("fiber main: mvar to be full destroyed while a fiber waits for it", [] {
        auto one = std::make_unique<mvar<int>>();
        auto waiting = fiber::spawn([&] { static_cast<void>(one->take()); });
        fiber::yield();
        one.reset();
    });
}

TEST_CASE("channel: takes as many as its capacity without a receiver, and gives them out in order") {
    fiber_world world;
    for (const std::size_t capacity : {std::size_t{0}, std::size_t{1}, std::size_t{3}}) {
        channel<std::unique_ptr<int>> queue{capacity};
        int sent = 0;
        auto sender = fiber::spawn([&] {
            for (; sent < 10; ++sent)
                REQUIRE(queue.send(std::make_unique<int>(sent)));
        });
        fiber::yield();
        CHECK(sent == static_cast<int>(capacity));
        CHECK(queue.size() == capacity);
        for (int i = 0; i < 10; ++i)
            CHECK(**queue.receive() == i);
        sender.join();
        CHECK(queue.size() == 0);
        CHECK(!queue.try_receive());
    }
    // The queue inside grows while its beginning is anywhere in it.
    channel<std::unique_ptr<int>> growing;
    for (int sent = 0, received = 0, round = 1; round < 60; ++round) {
        for (int i = 0; i < round; ++i)
            REQUIRE(growing.send(std::make_unique<int>(sent++)));
        for (int i = 0; i < round / 2; ++i)
            REQUIRE(**growing.receive() == received++);
    }
    channel<int> endless;
    for (int i = 0; i < 10'000; ++i)
        CHECK(endless.send(i));
    for (int i = 0; i < 10'000; ++i)
        CHECK(*endless.receive() == i);
}

TEST_CASE("channel: a receiver that waits gets the value itself, in the order in which receivers came") {
    fiber_world world;
    channel<int> queue{2};
    std::vector<std::pair<int, int>> received;
    std::vector<fiber::handle<void>> all;
    for (int who = 0; who < 3; ++who)
        all.push_back(fiber::spawn([&, who] { received.emplace_back(who, *queue.receive()); }));
    fiber::yield();
    for (int i = 0; i < 3; ++i)
        CHECK(queue.send(i));
    CHECK(queue.size() == 0);
    CHECK(!queue.try_receive());
    for (auto& one : all)
        one.join();
    CHECK(received == std::vector<std::pair<int, int>>{{0, 0}, {1, 1}, {2, 2}});
}

TEST_CASE("channel: limits end a wait on either side, and a value is only taken when it was sent") {
    fiber_world world;
    channel<std::string> queue{1};
    CHECK(queue.receive(fiber::within(1ms)).error() == timed_out);
    CHECK(queue.send("one"));
    CHECK(queue.send("two", fiber::within(1ms)).error() == timed_out);
    std::stop_source stop;
    auto stopper = fiber::spawn([&] { stop.request_stop(); });
    CHECK(queue.send("three", stop.get_token()).error() == canceled);
    stopper.join();
    std::string kept = "kept";
    CHECK(!queue.try_send(kept));
    CHECK(kept == "kept");
    CHECK(*queue.receive() == "one");
    CHECK(queue.try_send(kept));
    CHECK(*queue.try_receive() == "kept");
    CHECK(queue.receive(stop.get_token()).error() == canceled);
}

TEST_CASE("channel: closing tells those who wait, and what was sent before can still be received") {
    fiber_world world;
    channel<int> full{1};
    CHECK(full.send(1));
    auto sender = fiber::spawn([&] { return full.send(2); });
    fiber::yield();
    full.close();
    full.close();
    CHECK(full.closed());
    CHECK(full.send(3).error() == closed);
    int refused = 4;
    CHECK(!full.try_send(refused));
    CHECK(*full.receive() == 1);
    CHECK(full.receive().error() == closed);
    const auto lost = sender.join();
    CHECK(lost.error() == closed);
    CHECK(lost.error().message() == "send to a channel: Broken pipe");

    auto empty = std::make_unique<channel<int>>();
    auto receiver = fiber::spawn([&] { return empty->receive(); });
    fiber::yield();
    empty->close();
    empty.reset();  // nobody touches it any more
    CHECK(receiver.join().error() == closed);
}

TEST_CASE("channel: destroyed while somebody waits panics") {
    fiber_world world;
    check_panic("fiber main: channel to have a value destroyed while a fiber waits for it", [] {
        auto one = std::make_unique<channel<int>>();
        auto waiting = fiber::spawn([&] { static_cast<void>(one->receive()); });
        fiber::yield();
        one.reset();
    });
    check_panic("fiber main: channel to have room destroyed while a fiber waits for it", [] {
        auto one = std::make_unique<channel<int>>(0);
        auto waiting = fiber::spawn([&] { static_cast<void>(one->send(1)); });
        fiber::yield();
        one.reset();
    });
}

}  // namespace
