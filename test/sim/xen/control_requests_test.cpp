// SPDX-License-Identifier: BSD-3-Clause
#include "store_world.hpp"

#include <halvm/xen/domain_control.hpp>

#include <doctest/doctest.h>

namespace {

using namespace halvm;
using std::chrono::milliseconds;
using xen::shutdown_kind;

/// A domain that notes what it is asked.
struct asked_world : sim::client_world {
    explicit asked_world(std::uint64_t seed = 1) : client_world{seed} {
        const std::string control = "/local/domain/1/control";
        for (const char* const node : {"", "/shutdown", "/sysrq", "/feature-poweroff", "/feature-reboot"}) {
            daemon.write(control + node, "");
            if (*node != '\0')
                daemon.set_permissions(control + node, {{guest.domain.id(), xen::permission::access::none}});
            else
                daemon.set_permissions(control, {{xen::dom0, xen::permission::access::read}});
        }
        requests.shutdown = [this](shutdown_kind how) { asked += "prhc"[static_cast<int>(how)]; };
        requests.sysrq = [this](char key) { asked += key; };
    }

    void start() {
        serving = fiber::spawn([this](std::stop_token stop) { ended = requests.serve(store, stop); });
        rest();
    }
    static void rest() { fiber::sleep(fiber::within(milliseconds{1})); }
    void ask(std::string_view node, std::string_view value) {
        daemon.write(std::string{"/local/domain/1/control/"}.append(node), value);
        rest();
    }
    [[nodiscard]] std::string node(std::string_view name) const {
        return daemon.read(std::string{"/local/domain/1/control/"}.append(name)).value_or("none");
    }

    xen::control_requests requests;
    std::string asked;
    std::optional<result<void>> ended;
    fiber::handle<void> serving;
};

TEST_CASE("domain control: says what it understands, as far as the toolstack lets it") {
    asked_world world;
    world.start();
    CHECK(world.node("feature-poweroff") == "1");
    CHECK(world.node("feature-reboot") == "1");
    CHECK(world.node("feature-halt") == "none");
}

TEST_CASE("domain control: each request is acknowledged and handed on, once") {
    asked_world world;
    world.start();
    for (const char* const what : {"poweroff", "reboot", "halt", "crash"}) {
        world.ask("shutdown", what);
        CHECK(world.node("shutdown").empty());
    }
    world.ask("sysrq", "s");
    CHECK(world.node("sysrq").empty());
    CHECK(world.asked == "prhcs");
}

TEST_CASE("domain control: a request that came before the program looked is not lost") {
    asked_world world;
    world.ask("shutdown", "reboot");
    world.start();
    CHECK(world.asked == "r");
    CHECK(world.node("shutdown").empty());
}

TEST_CASE("domain control: what is not understood is left, and hurts nobody") {
    asked_world world;
    world.start();
    for (const std::string_view what : {"suspend", "", "power", "poweroff ", "Reboot"}) {
        world.ask("shutdown", what);
        CHECK(world.node("shutdown") == what);
    }
    world.daemon.remove("/local/domain/1/control/sysrq");
    asked_world::rest();
    CHECK(world.asked.empty());
    world.ask("shutdown", "halt");
    CHECK(world.asked == "h");
}

TEST_CASE("domain control: an acknowledgement that comes in somebody's way is tried again") {
    asked_world world;
    world.start();
    world.daemon.conflicts = 3;
    world.ask("shutdown", "poweroff");
    CHECK(world.asked == "p");
    CHECK(world.node("shutdown").empty());
}

TEST_CASE("domain control: ends when it is asked to, and with the connection") {
    asked_world world;
    world.start();
    SUBCASE("by a token") {
        CHECK(world.serving.request_stop());
        world.serving.join();
        CHECK(sim::code_of(*world.ended) == std::errc::operation_canceled);
    }
    SUBCASE("when it is lost") {
        world.daemon.send(xen::domid{1}, sim::store_daemon::message(XS_READ, 999, "x"));
        world.serving.join();
        CHECK(sim::code_of(*world.ended) == xen::store_errc::bad_request);
    }
}

}  // namespace
