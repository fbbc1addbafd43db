// SPDX-License-Identifier: BSD-3-Clause
// The console front end against simulated back ends that obey, lie, die and come back.
#include "console_conformance.hpp"
#include "console_world.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace halvm;
using namespace std::chrono_literals;
using sim::code_of;
using sim::console_world;

static_assert(Console<sim::sim_consfront>);

void pass(console_world& world, std::chrono::nanoseconds time) {
    fiber::sleep(fiber::wait_limit{world.host.now() + static_cast<fiber::instant>(time.count())});
}

TEST_CASE("consfront: is a Console") {
    console_world world;
    world.attach();
    {
        auto device = world.open().value();
        sim::back_console peer{world};
        test::check_console(device, peer, 30'000);
    }
    world.check_nothing_left();
}

TEST_CASE("consfront: a line end is \\r\\n to a terminal, and to a program as it was written") {
    for (const auto ends : {xen::line_ends::unchanged, xen::line_ends::terminal}) {
        console_world world;
        world.attach();
        auto device = world.open({.ends = ends}).value();
        sim::back_console peer{world};
        REQUIRE(device.write(as_bytes("a\nb")));
        const std::string expected = ends == xen::line_ends::terminal ? "a\r\nb" : "a\nb";
        CHECK(test::read_exactly(peer, expected.size()) == expected);
    }
}

TEST_CASE("consfront: consoles are listed with their names, the first one left out") {
    console_world world;
    CHECK(xen::list_consoles(world.store).value().empty());
    CHECK(code_of(world.open()) == std::errc::no_such_device);
    world.attach({{"name", "log"}});
    world.daemon.write("/local/domain/1/device/console/0/state", "1");
    world.daemon.set_permissions("/local/domain/1/device/console/0",
                                 {{world.guest.domain.id(), xen::permission::access::none}});
    world.daemon.write("/local/domain/1/device/console/2/state", "1");
    for (const char* place : {"", "/state"})
        world.daemon.set_permissions("/local/domain/1/device/console/2" + std::string{place},
                                     {{world.guest.domain.id(), xen::permission::access::none}});
    const auto all = xen::list_consoles(world.store).value();
    REQUIRE(all.size() == 2);
    CHECK(find_console(all, "log").value() == find_console(all, "1").value());
    CHECK(find_console(all, "2").has_value());
    for (const char* wrong : {"", "0", "3", "lo"})
        CHECK(find_console(all, wrong).error().message() ==
              "open a console: besides the first there are only 1 (log) 2: No such device");
}

TEST_CASE("consfront: a back end that never connects is an error in time, which names its state and path") {
    const std::vector<std::pair<std::string, std::function<void(console_world&)>>> backends{
        {"which is not there", [](console_world& world) { world.daemon.remove(world.back); }},
        {"which is initialising", [](console_world&) {}},
        {"which waits for us", [](console_world& world) { world.daemon.write(world.back + "/state", "2"); }},
        {"which is closed", [](console_world& world) { world.daemon.write(world.back + "/state", "6"); }}};
    for (const auto& [state, prepare] : backends) {
        CAPTURE(state);
        console_world world;
        world.connects = false;
        world.attach();
        world.stop_backend();
        prepare(world);
        const auto begin = world.host.now();
        const auto opened = sim::sim_consfront::open(world.mechanisms(), world.number, {}, fiber::within(2s));
        REQUIRE_FALSE(opened);
        CHECK(opened.error().code() == std::errc::timed_out);
        CHECK(opened.error().message().find(state) != std::string::npos);
        CHECK(opened.error().message().find("/local/domain/0/backend/console/1/1") != std::string::npos);
        CHECK(world.host.now() - begin >= 2'000'000'000);
        CHECK(world.host.now() - begin < 3'500'000'000);
        world.check_nothing_left();
    }
}

TEST_CASE("consfront: who is asked to stop does not wait for a back end any longer") {
    console_world world;
    world.attach();
    world.stop_backend();
    std::stop_source stop;
    auto opening = fiber::spawn(
        [&] { return code_of(sim::sim_consfront::open(world.mechanisms(), world.number, {}, stop.get_token())); });
    pass(world, 1ms);
    stop.request_stop();
    CHECK(opening.join() == std::errc::operation_canceled);
    world.check_nothing_left();
}

TEST_CASE("consfront: a back end that comes back goes on where the last one stopped, both ways") {
    for (const bool asked : {false, true}) {
        CAPTURE(asked);
        console_world world;
        world.attach();
        {
            auto device = world.open().value();
            sim::back_console peer{world};
            REQUIRE(device.write(as_bytes("one two ")));
            CHECK(test::read_exactly(peer, 4) == "one ");
            REQUIRE(peer.write(as_bytes("typed ")));
            CHECK(test::read_exactly(device, 2) == "ty");
            if (asked) {
                world.ask_to_close();
                pass(world, 1ms);
            } else {
                world.stop_backend();
                const std::string more(sizeof(xencons_interface::out), 'x');
                bool over = false;
                auto writer = fiber::spawn([&] {
                    auto how = device.write(as_bytes(more));
                    over = true;
                    return how;
                });
                pass(world, 1s);
                CHECK_FALSE(over);
                world.start_backend();
                pass(world, 1s);
                CHECK(test::read_exactly(peer, 4 + more.size()) == "two " + more);
                CHECK(writer.join());
            }
            if (asked)
                CHECK(test::read_exactly(peer, 4) == "two ");
            REQUIRE(peer.write(as_bytes("again")));
            CHECK(test::read_exactly(device, 9) == "ped again");
            CHECK(device.reconnects() == 1);
        }
        world.check_nothing_left();
    }
}

TEST_CASE("consfront: impossible indices of a back end break this console, and nothing else") {
    struct lie {
        std::uint32_t xencons_interface::*index;
        std::uint32_t value;
    };
    for (const auto& [index, value] :
         {lie{&xencons_interface::out_cons, 1}, lie{&xencons_interface::out_cons, 0x8000'0000},
          lie{&xencons_interface::in_prod, 1025}, lie{&xencons_interface::in_prod, UINT32_MAX}}) {
        CAPTURE(value);
        console_world world;
        world.attach();
        {
            auto device = world.open().value();
            std::array<std::byte, 8> few;
            auto reader = fiber::spawn([&] { return code_of(device.read(few)); });
            fiber::yield();
            world.ring().*index = value;
            world.tell();
            pass(world, 1ms);
            if (index == &xencons_interface::out_cons)
                CHECK(code_of(device.write(as_bytes("x"))) == std::errc::protocol_error);
            CHECK(reader.join() == std::errc::protocol_error);
            CHECK(code_of(device.write(as_bytes("x"))) == std::errc::protocol_error);
            CHECK(code_of(device.try_read(few)) == std::errc::protocol_error);
            CHECK(world.store.exists("device").value());
        }
        world.check_nothing_left();
    }
}

TEST_CASE("consfront: a console that is taken away fails what waits, and what is asked later") {
    console_world world;
    world.attach();
    {
        auto device = world.open().value();
        sim::back_console peer{world};
        test::check_end(device, "last words", [&] {
            REQUIRE(peer.write(as_bytes("last words")));
            world.detach();
        });
        std::array<std::byte, 8> few;
        CHECK(code_of(device.read(few)) == std::errc::no_such_device);
        CHECK(code_of(device.write(as_bytes("x"))) == std::errc::no_such_device);
        // Another in its place is opened anew.
        world.attach();
        auto next = world.open().value();
        REQUIRE(next.write(as_bytes("new")));
        CHECK(test::read_exactly(peer, 3) == "new");
    }
    world.check_nothing_left();
}

TEST_CASE("consfront: what was written is read by the back end before the console ends") {
    console_world world;
    world.attach();
    std::optional<sim::sim_consfront> device{world.open().value()};
    sim::back_console peer{world};
    REQUIRE(device->write(as_bytes(std::string(1000, 'x'))));
    std::string all;
    auto reader = fiber::spawn([&] {
        pass(world, 1s);
        all = test::read_exactly(peer, 1000, 100);
    });
    device.reset();
    CHECK(all == std::string(1000, 'x'));
    reader.join();
    world.check_nothing_left();
}

TEST_CASE("consfront: signals without news give nobody work") {
    console_world world;
    world.attach();
    {
        auto device = world.open().value();
        const auto before = world.guest.domain.events.upcalls;
        for (int i = 0; i < 10'000; ++i) {
            world.tell();
            pass(world, 100us);
        }
        CHECK(world.guest.domain.events.upcalls - before < 40);
        sim::back_console peer{world};
        REQUIRE(peer.write(as_bytes("news")));
        CHECK(test::read_exactly(device, 4) == "news");
    }
    world.check_nothing_left();
}

TEST_CASE(
    "consfront: a page that a back end keeps mapped when it has closed is parked, and comes back when it lets go") {
    console_world world;
    world.attach();
    xen::basic_mapping<sim::domain> kept;
    {
        auto device = world.open().value();
        const xen::grant_ref refs[]{
            xen::grant_ref{world.back_store->read_number<std::uint32_t>(world.front + "/ring-ref").value()}};
        kept = xen::map_grants(world.back_grants, world.guest.domain.id(), refs, xen::access::read_write).value();
        CHECK(std::ranges::all_of(kept.bytes().first(3072), [](std::byte one) { return one == std::byte{}; }));
    }
    CHECK(world.grants.collect() != 0);
    CHECK(world.grants.statistics().parked_pages == 1);
    world.detach();
    kept = {};
    world.check_nothing_left();
}

}  // namespace
