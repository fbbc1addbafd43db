// SPDX-License-Identifier: BSD-3-Clause
// A XenStore that answers late, in pieces, with nonsense, or never; and a ring that somebody scribbles on.
#include "store_world.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <functional>

namespace {

using namespace halvm;
using sim::client_world;
using sim::code_of;
using sim::must;
using sim::store_daemon;
using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr xen::domid us{1};

/// Fibers that wait for answers and for a change, and one that does not use the store, while `spoil` does its worst.
/// All that wait must be told `why`; so must who asks later.
void check_broken(const std::function<void(client_world&)>& spoil, xen::store_errc why) {
    client_world world;
    auto watch = std::optional{world.store.watch_path("data").value()};
    CHECK(watch->next().value().path == "data");
    world.daemon.silent = true;
    std::vector<fiber::handle<std::error_code>> waiting;
    for (int i = 0; i < 5; ++i)
        waiting.push_back(fiber::spawn([&] { return code_of(world.store.read("domid")); }));
    waiting.push_back(fiber::spawn([&] { return code_of(watch->next()); }));
    auto unharmed = fiber::spawn([] { return fiber::sleep(fiber::within(milliseconds{2})); });
    fiber::sleep(fiber::within(milliseconds{1}));
    CHECK_FALSE(world.store.broken());

    spoil(world);
    for (auto& one : waiting)
        CHECK(one.join() == why);
    CHECK(unharmed.join());
    CHECK(world.store.broken() == why);
    CHECK(code_of(world.store.write("data/x", "y")) == why);
    CHECK(code_of(world.store.watch_path("data/x")) == why);
    CHECK(code_of(world.store.start_transaction()) == why);
    watch.reset();
}

/// The same when the daemon sends `message`.
void check_nonsense(const std::string& message, xen::store_errc why) {
    check_broken([&](client_world& world) { world.daemon.send(us, message); }, why);
}

TEST_CASE("xenstore: nonsense ends the connection, with a typed error for everybody") {
    const auto long_length = [](std::uint32_t length) {
        auto text = store_daemon::message(XS_READ, 0, "");
        std::memcpy(text.data() + offsetof(xsd_sockmsg, len), &length, sizeof length);
        return text;
    };
    check_nonsense(long_length(4097), xen::store_errc::bad_length);
    check_nonsense(long_length(~0u), xen::store_errc::bad_length);
    check_nonsense(store_daemon::message(XS_READ, 12345, "x"), xen::store_errc::bad_request);
    check_nonsense(store_daemon::message(XS_READ, 0, "x"), xen::store_errc::bad_request);
    check_nonsense(store_daemon::message(XS_INVALID, 12345, "x"), xen::store_errc::bad_request);
    check_nonsense(store_daemon::message(XS_WATCH_EVENT, 0, ""), xen::store_errc::bad_type);
    check_nonsense(store_daemon::message(XS_WATCH_EVENT, 0, "no zero"), xen::store_errc::bad_type);
    check_nonsense(store_daemon::message(XS_WATCH_EVENT, 0, {"path\0token", 10}), xen::store_errc::bad_type);
    check_nonsense(store_daemon::message(XS_WATCH_EVENT, 0, {"\0token\0", 7}), xen::store_errc::bad_type);
}

TEST_CASE("xenstore: an answer of another kind than the question ends the connection") {
    client_world world;
    world.daemon.forge = [](std::string& message) {
        const std::uint32_t type = XS_MKDIR;
        std::memcpy(message.data(), &type, sizeof type);
    };
    CHECK(code_of(world.store.read("domid")) == xen::store_errc::bad_type);
}

TEST_CASE("xenstore: an answer that comes twice ends the connection") {
    client_world world;
    world.daemon.forge = [](std::string& message) { message += message; };
    CHECK(world.store.read("domid").value() == "1");
    fiber::sleep(fiber::within(milliseconds{1}));
    CHECK(code_of(world.store.read("domid")) == xen::store_errc::bad_request);
}

TEST_CASE("xenstore: impossible indices end the connection") {
    const auto scribble = [](XENSTORE_RING_IDX xenstore_domain_interface::*index, std::uint32_t by) {
        check_broken(
            [&](client_world& world) {
                world.daemon.ring_of(us).*index += by;
                static_cast<void>(fiber::spawn([&] { world.store.read("domid"); }).wait({}));
            },
            xen::store_errc::bad_index);
    };
    for (const std::uint32_t by : {1025u, 0x80000000u, ~0u}) {
        CAPTURE(by);
        scribble(&xenstore_domain_interface::rsp_prod, by);
    }
    for (const std::uint32_t by : {1u, 1025u, 0x80000000u}) {
        CAPTURE(by);
        scribble(&xenstore_domain_interface::req_cons, by);
    }
}

TEST_CASE("xenstore: a store that says that it gave the connection up is believed") {
    check_broken(
        [](client_world& world) {
            auto& ring = world.daemon.ring_of(us);
            ring.server_features = XENSTORE_SERVER_FEATURE_ERROR;
            ring.error = XENSTORE_ERROR_PROTO;
            static_cast<void>(fiber::spawn([&] { world.store.read("domid"); }).wait({}));
        },
        xen::store_errc::given_up);
}

TEST_CASE("xenstore: an event for a token that nobody has is for nobody") {
    client_world world;
    for (const std::string_view token : {std::string_view{"7\0", 2}, {"not a number\0", 13}, {"4294967297\0", 11}})
        world.daemon.send(us,
                          store_daemon::message(XS_WATCH_EVENT, 0, std::string{"data"} + '\0' + std::string{token}));
    CHECK(world.store.read("domid").value() == "1");
}

TEST_CASE("xenstore: a store that never answers costs no more than the limit") {
    client_world world;
    world.daemon.silent = true;
    const auto before = world.host.now();
    const auto answer = world.store.read("domid", fiber::within(milliseconds{5}));
    CHECK(code_of(answer) == std::errc::timed_out);
    CHECK(answer.error().message() == "XenStore: read domid: Connection timed out");
    CHECK(world.host.now() - before == 5'000'000);
    std::stop_source stop;
    auto waiting = fiber::spawn([&] { return code_of(world.store.mkdir("data/x", stop.get_token())); });
    fiber::yield();
    stop.request_stop();
    CHECK(waiting.join() == std::errc::operation_canceled);

    // As many as there can be: those that do not get a place wait for one.
    std::vector<fiber::handle<std::error_code>> all;
    for (int i = 0; i < 400; ++i)
        all.push_back(fiber::spawn([&] { return code_of(world.store.read("domid", fiber::within(milliseconds{5}))); },
                                   {.stack = 16 << 10}));
    for (auto& one : all)
        CHECK(one.join() == std::errc::timed_out);
    CHECK_FALSE(world.store.broken());
}

TEST_CASE("xenstore: the same when its end of the channel is gone") {
    client_world world;
    CHECK(world.store.read("domid").value() == "1");
    world.daemon.abandon(world.guest);
    CHECK(code_of(world.store.read("domid", fiber::within(milliseconds{5}))) == std::errc::timed_out);
}

TEST_CASE("xenstore: an answer that comes too late is not taken for another's") {
    client_world world;
    auto& store = world.store;
    must(store.write("data/a", "first"));
    must(store.write("data/b", "second"));
    world.daemon.delay = [] { return fiber::instant{3'000'000}; };
    CHECK(code_of(store.read("data/a", fiber::within(milliseconds{1}))) == std::errc::timed_out);
    world.daemon.delay = nullptr;
    CHECK(store.read("data/b").value() == "second");
    fiber::sleep(fiber::within(milliseconds{10}));
    CHECK(store.read("data/a").value() == "first");
    CHECK_FALSE(store.broken());
}

TEST_CASE("xenstore: a transaction that begins too late is ended") {
    client_world world;
    world.daemon.delay = [] { return fiber::instant{3'000'000}; };
    CHECK(code_of(world.store.start_transaction(fiber::within(milliseconds{1}))) == std::errc::timed_out);
    CHECK(world.daemon.open_transactions(us) == 1);
    fiber::sleep(fiber::within(milliseconds{10}));
    CHECK(world.daemon.open_transactions(us) == 0);
}

TEST_CASE("xenstore: a watch that is set too late is taken away") {
    client_world world;
    world.daemon.delay = [] { return fiber::instant{3'000'000}; };
    CHECK(code_of(world.store.watch_path("data", fiber::within(milliseconds{1}))) == std::errc::timed_out);
    CHECK(world.daemon.watches(us) == 1);
    fiber::sleep(fiber::within(milliseconds{10}));
    CHECK(world.daemon.watches(us) == 0);
    CHECK_FALSE(world.store.broken());
}

TEST_CASE("xenstore: a request given up in the middle of a full ring is finished, and the next ones are whole") {
    client_world world;
    world.daemon.most_value = 4096;
    world.daemon.stalled = true;
    const std::string value(3000, 'v');
    CHECK(code_of(world.store.write("data/long", value, fiber::within(milliseconds{1}))) == std::errc::timed_out);
    auto next = fiber::spawn([&] { return world.store.read("domid").value(); });
    fiber::sleep(fiber::within(milliseconds{1}));
    world.daemon.stalled = false;
    world.daemon.go_on(us);
    CHECK(next.join() == "1");
    CHECK(world.daemon.read("/local/domain/1/data/long") == value);
}

TEST_CASE("xenstore: what was not sent when its limit came is not sent later") {
    client_world world;
    world.daemon.stalled = true;
    const std::string value(900, 'v');
    auto first = fiber::spawn([&] { return code_of(world.store.write("data/first", value)); });
    fiber::yield();
    CHECK(code_of(world.store.write("data/second", value, fiber::within(milliseconds{1}))) == std::errc::timed_out);
    world.daemon.stalled = false;
    world.daemon.go_on(us);
    CHECK_FALSE(first.join());
    CHECK(world.store.exists("data/first").value());
    CHECK_FALSE(world.store.exists("data/second").value());
}

TEST_CASE("xenstore: answers byte by byte, and in any order") {
    for (const std::size_t chunk : {1, 15, 16, 17}) {
        client_world world;
        world.daemon.chunk = chunk;
        world.daemon.delay = [&] { return world.host.random() % 2000; };
        std::vector<fiber::handle<void>> all;
        for (int i = 0; i < 20; ++i)
            all.push_back(fiber::spawn([&, i] {
                const auto node = "data/" + std::to_string(i);
                must(world.store.write(node, node));
                CHECK(world.store.read(node).value() == node);
            }));
        for (auto& one : all)
            one.join();
    }
}

TEST_CASE("xenstore: a refusal at any point is the caller's error, and nobody else's") {
    client_world world;
    for (const char* const name : {"EAGAIN", "EIO", ""}) {
        world.daemon.refuse = [&](std::uint32_t, std::string_view path) {
            return std::string{path == "domid" ? "" : *name != '\0' ? name : "\n"};
        };
        CHECK_FALSE(world.store.write("data/x", "y"));
        CHECK_FALSE(world.store.directory("data"));
        CHECK_FALSE(world.store.watch_path("data"));
        CHECK_FALSE(world.store.start_transaction());
        CHECK_FALSE(world.store.reset_watches());
        CHECK(world.store.read("domid").value() == "1");
    }
}

TEST_CASE("xenstore: an answer without meaning ends the call, not the connection") {
    client_world world;
    auto& store = world.store;
    must(store.write("data/x", "y"));
    std::string body;
    std::uint32_t only = XS_INVALID;
    world.daemon.forge = [&](std::string& message) {
        xsd_sockmsg header;
        std::memcpy(&header, message.data(), sizeof header);
        if (header.type == only)
            message = store_daemon::message(only, header.req_id, body);
    };
    const auto answered = [&](std::uint32_t type, std::string_view with, auto ask) {
        only = type;
        body = with;
        const auto code = code_of(ask());
        only = XS_INVALID;
        return code;
    };
    const auto bad = xen::store_errc::bad_text;
    for (const std::string_view text : {std::string_view{"no zero"}, {"a\0\0", 3}, {"\0", 1}})
        CHECK(answered(XS_DIRECTORY, text, [&] { return store.directory("data"); }) == bad);
    for (const std::string_view text : {std::string_view{}, {"x1\0", 3}, {"n\0", 2}, {"n1", 2}, {"n99999\0", 7}})
        CHECK(answered(XS_GET_PERMS, text, [&] { return store.permissions("data"); }) == bad);
    for (const std::string_view text : {std::string_view{}, {"\0", 1}, {"0\0", 2}, {"-1\0", 3}, {"99999999999\0", 12}})
        CHECK(answered(XS_TRANSACTION_START, text, [&] { return store.start_transaction(); }) == bad);
    for (const std::string_view text : {std::string_view{}, {"relative\0", 9}, {"/no/zero"}})
        CHECK(answered(XS_GET_DOMAIN_PATH, text, [&] { return store.domain_path(us); }) == bad);
    CHECK(store.read("data/x").value() == "y");
}

TEST_CASE("xenstore: listings in parts may lie without end, and end") {
    client_world world;
    world.daemon.write("/local/domain/1/many", "");
    world.daemon.set_permissions("/local/domain/1/many", {{us, xen::permission::access::none}});
    for (const std::string_view text :
         {std::string_view{"1\0name\0", 7}, {"1\0", 2}, {"no zero"}, {}, {"1\0\0\0", 4}}) {
        world.daemon.forge = [&](std::string& message) {
            xsd_sockmsg header;
            std::memcpy(&header, message.data(), sizeof header);
            message = header.type == XS_DIRECTORY_PART
                          ? store_daemon::message(header.type, header.req_id,
                                                  text.size() == 7
                                                      ? "1" + std::string(1, '\0') + std::string(4000, 'n') + '\0'
                                                      : std::string{text})
                          : store_daemon::message(XS_ERROR, header.req_id, {"E2BIG\0", 6});
        };
        CHECK_FALSE(world.store.directory("many"));
        CHECK_FALSE(world.store.broken());
    }
}

TEST_CASE("xenstore: a store that never stops to talk starves nobody") {
    client_world world;
    CHECK(world.store.exists("domid").value());
    // The daemon's fiber fills the ring as often as it is empty.
    std::string storm;
    for (int i = 0; i < 2000; ++i)
        storm += store_daemon::message(XS_WATCH_EVENT, 0, {"data\0none\0", 10});
    world.daemon.send(us, storm);
    unsigned turns = 0;
    auto other = fiber::spawn([&] {
        for (; turns < 40; ++turns)
            fiber::yield();
    });
    other.join();
    CHECK(world.daemon.ring_of(us).rsp_prod < storm.size());
    CHECK(world.store.read("domid").value() == "1");
}

TEST_CASE("xenstore: its end of the channel cannot be had, or is lost") {
    sim::store_world world;
    world.guest.domain.store.local = xen::port{0};
    sim::sim_xenstore store{world.guest.domain, world.guest.channels};
    CHECK(code_of(store.read("domid")) == xen::store_errc::closed);

    sim::sim_xenstore theirs{world.other.domain, world.other.channels};
    CHECK(theirs.exists("domid").value());
    world.host.refuse(world.other.domain, __HYPERVISOR_event_channel_op, EVTCHNOP_send, -XEN_EINVAL);
    CHECK(code_of(theirs.read("domid")) == xen::store_errc::closed);
}

}  // namespace
