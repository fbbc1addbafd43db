// SPDX-License-Identifier: BSD-3-Clause
// What holds for every wait of a fiber: it ends at its deadline and when it is stopped, leaves its queue, allocates
// nothing, and its queue is not to be destroyed under it.
#include "child.hpp"
#include "nothing_comes.hpp"

#include <cstdlib>
#include <functional>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace halvm;
using test::check_panic;
using test::fiber_world;

std::size_t allocations = 0;

struct nothing : test::nothing_comes {
    /// Each wait by its name; true when the limit has ended it with `expected`.
    using wait = std::function<bool(const fiber::wait_limit&, std::error_code expected)>;
    std::vector<std::pair<const char*, wait>> waits() {
        const auto ended = [](const auto& got, std::error_code expected) { return !got && got.error() == expected; };
        return {
            {"mutex", [&](auto& limit, auto) { return !lock.lock(limit); }},
            {"mutex", [&](auto& limit, auto) { return !again.lock(limit); }},
            {"shared mutex", [&](auto& limit, auto) { return !shared.lock(limit); }},
            {"shared mutex", [&](auto& limit, auto) { return !shared.lock_shared(limit); }},
            {"semaphore", [&](auto& limit, auto) { return !free.acquire(limit); }},
            {"event", [&](auto& limit, auto) { return !happened.wait(limit); }},
            {"latch", [&](auto& limit, auto) { return !gate.wait(limit); }},
            {"wait group", [&](auto& limit, auto) { return !work.wait(limit); }},
            {"barrier", [&, ended](auto& limit, auto why) { return ended(meeting.arrive_and_wait(limit), why); }},
            {"condition variable",
             [&](auto& limit, auto) {
                 std::unique_lock held{own};
                 return !changed.wait(held, limit) && own.held();
             }},
            {"mvar to be full", [&, ended](auto& limit, auto why) { return ended(empty.take(limit), why); }},
            {"mvar to be full", [&, ended](auto& limit, auto why) { return ended(empty.read(limit), why); }},
            {"mvar to be empty", [&, ended](auto& limit, auto why) { return ended(full.put(2, limit), why); }},
            {"channel to have a value",
             [&, ended](auto& limit, auto why) { return ended(vacant.receive(limit), why); }},
            {"channel to have room", [&, ended](auto& limit, auto why) { return ended(meets.send(1, limit), why); }},
            {"mvar to be full",
             [&, ended](auto& limit, auto why) {
                 std::optional<int> into;
                 return ended(fiber::select(limit, fiber::taking(empty, into), fiber::after(1h)), why);
             }},
            {"fiber to end", [&](auto& limit, auto) { return !ends.wait(limit); }},
        };
    }
};

TEST_CASE("limits: every wait ends at its deadline and when it is stopped, and nobody is left in its queue") {
    fiber_world world;
    nothing none;
    none.hold();
    for (const auto& [name, wait] : none.waits()) {
        CAPTURE(name);
        const auto timed_out = std::make_error_code(std::errc::timed_out);
        const auto canceled = std::make_error_code(std::errc::operation_canceled);
        const auto begin = world.time;
        CHECK(wait(fiber::within(1ms), timed_out));
        CHECK(world.time == begin + 1'000'000);
        CHECK(wait(fiber::within(-1ms), timed_out));
        std::stop_source stop;
        auto stopper = fiber::spawn([&] { stop.request_stop(); });
        CHECK(wait(fiber::within(1h, stop.get_token()), canceled));
        CHECK(wait(stop.get_token(), canceled));
        CHECK(world.time == begin + 1'000'000);
        stopper.join();
    }
    none.release();
}

TEST_CASE("limits: to wait and to be woken allocates nothing, whatever ends the wait") {
    fiber_world world;
    nothing none;
    none.hold();
    std::stop_source stop;
    fiber::event unset;
    // The ones that return an error make its text when they are asked for it.
    auto waiting = fiber::spawn([&] {
        std::size_t most = 0;
        for (const auto& [name, wait] : none.waits()) {
            CAPTURE(name);
            const std::size_t before = allocations;
            wait(fiber::within(1ms), {});
            wait(fiber::within(1ms, stop.get_token()), {});
            most = std::max(most, allocations - before);
        }
        const std::size_t before = allocations;
        fiber::yield();
        unset.wait();
        return most + allocations - before;
    });
    fiber::sleep(fiber::within(1h));
    const std::size_t before = allocations;
    unset.set();
    CHECK(allocations == before);
    CHECK(waiting.join() == 0);
    none.release();
}

TEST_CASE("limits: destroying what a fiber waits for panics and names it") {
    fiber_world world;
    for (std::size_t kind = 0; kind + 1 < nothing{}.waits().size(); ++kind) {
        const std::string name = nothing{}.waits()[kind].first;
        check_panic("fiber main: " + name + " destroyed while a fiber waits for it", [kind] {
            auto none = std::make_unique<nothing>();
            none->hold();
            auto waiting = fiber::spawn([&] { none->waits()[kind].second({}, {}); });
            fiber::yield();
            none.reset();
        });
    }
}

TEST_CASE("barrier: who gives up takes its arrival back, unless it opened in that moment") {
    fiber_world world;
    fiber::barrier gate{2};
    CHECK(!gate.arrive_and_wait(fiber::within(1ms)));
    auto early = fiber::spawn([&] { return gate.arrive_and_wait(fiber::within(1ms)); });
    fiber::yield();
    CHECK(gate.arrive_and_wait(fiber::within(1ms)).value());
    CHECK(!early.join().value());

    // Its deadline comes, and before it runs again the other arrives.
    auto late = fiber::spawn([&] { return gate.arrive_and_wait(fiber::within(1ms)); });
    auto other = fiber::spawn([&] {
        fiber::sleep(fiber::within(1ms));
        return gate.arrive_and_wait();
    });
    CHECK(!late.join().has_value());
    CHECK(!other.wait(fiber::within(1ms)));
    CHECK(gate.arrive_and_wait());
    CHECK(!other.join());
    auto first = fiber::spawn([&] {
        fiber::sleep(fiber::within(1ms));
        return gate.arrive_and_wait();
    });
    auto second = fiber::spawn([&] { return gate.arrive_and_wait(fiber::within(1ms)); });
    CHECK(first.join());
    CHECK(second.join().value() == false);
}

}  // namespace

// Counts all allocations of this program.
void* operator new(std::size_t size) {
    ++allocations;
    if (void* const memory = std::malloc(size != 0 ? size : 1))
        return memory;
    throw std::bad_alloc{};
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
