// SPDX-License-Identifier: BSD-3-Clause
// Everything that the XenStore can be asked, against a daemon that obeys.
#include "store_world.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <stdexcept>

namespace {

using namespace halvm;
using sim::client_world;
using sim::code_of;
using sim::must;
using std::chrono::milliseconds;
using xen::permission;

TEST_CASE("xenstore: what was written is read, whatever bytes it has") {
    client_world world;
    auto& store = world.store;
    const std::string bytes("\0\n\xff value", 9);
    CHECK(store.write("data/node", bytes));
    CHECK(store.read("data/node").value() == bytes);
    CHECK(world.daemon.read("/local/domain/1/data/node") == bytes);
    CHECK(store.read("/local/domain/1/data/node").value() == bytes);
    CHECK(store.write("data/node", ""));
    CHECK(store.read("data/node").value().empty());
    CHECK(store.write("data/number", -12));
    CHECK(store.read("data/number").value() == "-12");
}

TEST_CASE("xenstore: an error says what was asked for, of which node, and what the store answered") {
    client_world world;
    const auto missing = world.store.read("data/missing");
    CHECK(code_of(missing) == std::errc::no_such_file_or_directory);
    CHECK(missing.error().message() == "XenStore: read data/missing: No such file or directory");
    CHECK(code_of(world.store.write("/tool/node", "x")) == std::errc::permission_denied);
    CHECK(code_of(world.store.read("bad path")) == std::errc::invalid_argument);
    CHECK(world.store.exists("domid").value());
    CHECK_FALSE(world.store.exists("missing").value());
    CHECK(code_of(world.store.exists("/local/domain/2/x")) == std::errc::permission_denied);
}

TEST_CASE("xenstore: each name of an error has its code") {
    client_world world;
    for (const auto& [name, code] :
         std::map<std::string, std::errc>{{"EINVAL", std::errc::invalid_argument},
                                          {"EACCES", std::errc::permission_denied},
                                          {"EEXIST", std::errc::file_exists},
                                          {"EISDIR", std::errc::is_a_directory},
                                          {"ENOENT", std::errc::no_such_file_or_directory},
                                          {"ENOMEM", std::errc::not_enough_memory},
                                          {"ENOSPC", std::errc::no_space_on_device},
                                          {"EIO", std::errc::io_error},
                                          {"ENOTEMPTY", std::errc::directory_not_empty},
                                          {"ENOSYS", std::errc::function_not_supported},
                                          {"EROFS", std::errc::read_only_file_system},
                                          {"EBUSY", std::errc::device_or_resource_busy},
                                          {"EAGAIN", std::errc::resource_unavailable_try_again},
                                          {"EISCONN", std::errc::already_connected},
                                          {"E2BIG", std::errc::argument_list_too_long},
                                          {"EPERM", std::errc::operation_not_permitted},
                                          {"EWHATEVER", std::errc::io_error}}) {
        world.daemon.refuse = [&](std::uint32_t, std::string_view) { return name; };
        CAPTURE(name);
        CHECK(code_of(world.store.read("domid")) == code);
    }
}

TEST_CASE("xenstore: numbers, paths and states are texts that may be anything") {
    client_world world;
    auto& store = world.store;
    const auto number = [&]<class Number>(std::string_view text, Number) {
        must(store.write("data/n", text));
        return store.read_number<Number>("data/n");
    };
    CHECK(number("255", std::uint8_t{}).value() == 255);
    CHECK(code_of(number("256", std::uint8_t{})) == std::errc::result_out_of_range);
    CHECK(number("-9223372036854775808", std::int64_t{}).value() == std::numeric_limits<std::int64_t>::min());
    CHECK(number("18446744073709551615", std::uint64_t{}).value() == std::numeric_limits<std::uint64_t>::max());
    for (const std::string_view text : {"", " 1", "1 ", "1\n", "+1", "0x1", "one", "1.0", "--1"})
        CHECK(code_of(number(text, int{})) == std::errc::invalid_argument);
    CHECK(code_of(number("-1", unsigned{})) == std::errc::invalid_argument);
    CHECK(code_of(number({"1\0", 2}, int{})) == std::errc::invalid_argument);
    must(store.write("data/n", "fF"));
    CHECK(store.read_number<int>("data/n", {}, 16).value() == 255);
    CHECK(store.read_number<int>("data/n").error().message() == "XenStore: read as a number data/n: Invalid argument");

    const auto path = [&](std::string_view text) {
        must(store.write("data/p", text));
        return store.read_path("data/p");
    };
    CHECK(path("/local/domain/0/backend/vif/1/0").value() == "/local/domain/0/backend/vif/1/0");
    CHECK(path("/").value() == "/");
    for (const std::string& text : {std::string{}, std::string{"relative"}, std::string{"/a//b"}, std::string{"/a/"},
                                    std::string{"/a b"}, std::string{"/a\0", 3}})
        CHECK(code_of(path(text)) == std::errc::invalid_argument);

    const auto state = [&](std::string_view text) {
        must(store.write("data/s", text));
        return store.read_state("data/s");
    };
    CHECK(state("4").value() == xen::device_state::connected);
    CHECK(state("0").value() == xen::device_state::unknown);
    CHECK(store.read_state("data/missing").value() == xen::device_state::unknown);
    CHECK(code_of(state("9")) == std::errc::result_out_of_range);
    CHECK(code_of(state("connected")) == std::errc::invalid_argument);
    CHECK(code_of(store.read_state("/tool/x")) == std::errc::permission_denied);
}

TEST_CASE("xenstore: nodes are made, listed and removed with all below them") {
    client_world world;
    auto& store = world.store;
    CHECK(store.mkdir("data/a/b"));
    CHECK(store.mkdir("data/a/b"));
    CHECK(store.write("data/a/c", "1"));
    CHECK(store.directory("data/a").value() == std::vector<std::string>{"b", "c"});
    CHECK(store.directory("data/a/b").value().empty());
    CHECK(store.remove("data/a"));
    CHECK(store.remove("data/a"));
    CHECK(code_of(store.remove("data/a/b")) == std::errc::no_such_file_or_directory);
    CHECK(code_of(store.directory("data/a")) == std::errc::no_such_file_or_directory);
    CHECK(code_of(store.directory("/local/domain/2")) == std::errc::permission_denied);
}

TEST_CASE("xenstore: a listing that is too long for an answer comes in parts") {
    client_world world;
    std::vector<std::string> names;
    for (int i = 0; i < 900; ++i) {
        names.push_back("a-rather-long-name-" + std::to_string(1000 + i));
        world.daemon.write("/local/domain/1/many/" + names.back(), "");
        world.daemon.set_permissions("/local/domain/1/many", {{xen::domid{1}, permission::access::none}});
    }
    CHECK(world.store.directory("many").value() == names);

    SUBCASE("anew when the names change meanwhile") {
        unsigned parts = 0;
        world.daemon.refuse = [&](std::uint32_t type, std::string_view) {
            if (type == XS_DIRECTORY_PART && ++parts == 3) {
                world.daemon.remove("/local/domain/1/many/" + names.back());
                names.pop_back();
            }
            return std::string{};
        };
        CHECK(world.store.directory("many").value() == names);
        CHECK(parts > 5);
    }
    SUBCASE("not for ever, when they never stop to change") {
        unsigned made = 0;
        world.daemon.refuse = [&](std::uint32_t type, std::string_view) {
            if (type == XS_DIRECTORY_PART)
                world.daemon.write("/local/domain/1/many/new-" + std::to_string(made++), "");
            return std::string{};
        };
        CHECK(code_of(world.store.directory("many")) == std::errc::resource_unavailable_try_again);
    }
    SUBCASE("or not at all, from a store that has no parts") {
        world.daemon.listings_in_parts = false;
        CHECK(code_of(world.store.directory("many")) == std::errc::argument_list_too_long);
    }
}

TEST_CASE("xenstore: permissions are read and set") {
    client_world world;
    auto& store = world.store;
    const std::vector<permission> wanted{{xen::domid{1}, permission::access::none},
                                         {xen::domid{2}, permission::access::both},
                                         {xen::dom0, permission::access::write}};
    must(store.write("data/shared", "x"));
    CHECK(store.permissions("data/shared").value() ==
          std::vector<permission>{{xen::domid{1}, permission::access::none}});
    CHECK(store.set_permissions("data/shared", wanted));
    CHECK(store.permissions("data/shared").value() == wanted);
    sim::sim_xenstore theirs{world.other.domain, world.other.channels};
    CHECK(theirs.read("/local/domain/1/data/shared").value() == "x");
    CHECK(theirs.write("/local/domain/1/data/shared", "y"));
    CHECK(code_of(theirs.set_permissions("/local/domain/1/data/shared", wanted)) == std::errc::permission_denied);
    CHECK(code_of(store.set_permissions("data/shared", std::vector<permission>{{xen::dom0, {}}})) ==
          std::errc::invalid_argument);
}

TEST_CASE("xenstore: what is too long for a request is not sent") {
    client_world world;
    auto& store = world.store;
    store.read("domid").value();
    const auto before = world.daemon.requests;
    CHECK(code_of(store.read(std::string(2049, 'a'))) == std::errc::filename_too_long);
    CHECK(code_of(store.read("/" + std::string(3072, 'a'))) == std::errc::filename_too_long);
    CHECK(code_of(store.write("data/x", std::string(4096, 'v'))) == std::errc::argument_list_too_long);
    CHECK(code_of(store.read("")) == std::errc::invalid_argument);
    CHECK(code_of(store.read({"a\0b", 3})) == std::errc::invalid_argument);
    CHECK(code_of(store.watch_path("")) == std::errc::invalid_argument);
    CHECK(world.daemon.requests == before);

    world.daemon.most_value = 4096;
    const std::string longest(4096 - sizeof "data/x", 'v');
    CHECK(store.write("data/x", longest));
    CHECK(store.read("data/x").value() == longest);
    CHECK(code_of(store.read("/" + std::string(3071, 'a'))) == std::errc::permission_denied);
}

TEST_CASE("xenstore: a quota is an error, and the connection goes on") {
    client_world world;
    auto& store = world.store;
    world.daemon.most_watches = 1;
    world.daemon.most_transactions = 1;
    world.daemon.most_nodes = 5;
    CHECK(code_of(store.write("data/long", std::string(2049, 'v'))) == std::errc::argument_list_too_long);
    const auto watch = store.watch_path("data");
    CHECK(watch);
    CHECK(code_of(store.watch_path("data")) == std::errc::argument_list_too_long);
    auto first = store.start_transaction();
    CHECK(first);
    CHECK(code_of(store.start_transaction()) == std::errc::no_space_on_device);
    CHECK(first->abort());
    CHECK(store.start_transaction());
    std::error_code last;
    for (int i = 0; i < 6 && !last; ++i)
        last = code_of(store.write("data/" + std::to_string(i), ""));
    CHECK(last == std::errc::no_space_on_device);
}

TEST_CASE("xenstore: a privileged domain introduces, releases and asks about others, no other does") {
    client_world world;
    sim::sim_xenstore dom0{world.dom0.domain, world.dom0.channels};
    const xen::domid nine{9};
    CHECK_FALSE(dom0.is_introduced(nine).value());
    CHECK(dom0.introduce(nine, xen::gfn{123}, xen::port{4}));
    CHECK(dom0.is_introduced(nine).value());
    CHECK(dom0.resume(nine));
    CHECK(dom0.set_target(nine, xen::domid{1}));
    CHECK(dom0.release(nine));
    CHECK(code_of(dom0.release(nine)) == std::errc::no_such_file_or_directory);
    CHECK(dom0.control({"help"}).value() == "Supported commands:");
    CHECK(dom0.domain_path(nine).value() == "/local/domain/9");

    auto& store = world.store;
    CHECK(store.domain_path(nine).value() == "/local/domain/9");
    CHECK(code_of(store.introduce(nine, xen::gfn{123}, xen::port{4})) == std::errc::permission_denied);
    CHECK(code_of(store.is_introduced(nine)) == std::errc::permission_denied);
    CHECK(code_of(store.release(nine)) == std::errc::permission_denied);
    CHECK(code_of(store.resume(nine)) == std::errc::permission_denied);
    CHECK(code_of(store.set_target(nine, nine)) == std::errc::permission_denied);
    CHECK(code_of(store.control({"print", "x"})) == std::errc::permission_denied);
}

TEST_CASE("xenstore: a domain without one says so") {
    sim::hypervisor host;
    sim::event_world lonely{host};
    sim::sim_xenstore store{lonely.domain, lonely.channels};
    CHECK(code_of(store.read("domid")) == xen::store_errc::absent);
    CHECK(code_of(store.read("domid")) == std::errc::not_connected);
    CHECK(store.read("domid").error().message() == "XenStore: read domid: this domain has no XenStore");
    CHECK_FALSE(store.watch_path("data"));
    CHECK_FALSE(store.transact([](xen::transaction& all) { return all.write("a", "b"); }));
}

TEST_CASE("transaction: nobody sees it before its commit, nor ever when there is none") {
    client_world world;
    auto& store = world.store;
    {
        auto all = store.start_transaction().value();
        CHECK(all.write("data/a", "1"));
        CHECK(all.read("data/a").value() == "1");
        CHECK_FALSE(store.exists("data/a").value());
        CHECK(all.commit());
        CHECK(store.read("data/a").value() == "1");
    }
    {
        auto all = store.start_transaction().value();
        CHECK(all.remove("data/a"));
    }
    CHECK(store.read("data/a").value() == "1");
    CHECK(world.daemon.open_transactions(xen::domid{1}) == 0);
}

TEST_CASE("transaction: transact() tries again when somebody was faster") {
    client_world world;
    auto& store = world.store;
    must(store.write("data/count", 0));
    unsigned attempts = 0;
    const auto add = [&](xen::transaction& all) -> result<int> {
        ++attempts;
        const auto now = all.read_number<int>("data/count");
        if (!now)
            return failure(now.error());
        if (attempts == 1)
            world.daemon.write("/local/domain/1/data/count", "10");
        if (const auto done = all.write("data/count", *now + 1); !done)
            return failure(done.error());
        return *now + 1;
    };
    CHECK(store.transact(add).value() == 11);
    CHECK(attempts == 2);
    CHECK(store.read("data/count").value() == "11");
    CHECK(world.daemon.open_transactions(xen::domid{1}) == 0);
}

TEST_CASE("transaction: transact() gives up after many attempts, at an error, and at an exception") {
    client_world world;
    auto& store = world.store;
    unsigned attempts = 0;
    const auto write = [&](xen::transaction& all) {
        ++attempts;
        return all.write("data/a", "1");
    };
    world.daemon.conflicts = 1000;
    CHECK(code_of(store.transact(write)) == std::errc::resource_unavailable_try_again);
    CHECK(attempts == xen::xenstore_connection::transact_attempts);
    world.daemon.conflicts = 0;

    CHECK(code_of(store.transact([](xen::transaction& all) { return all.read("missing"); })) ==
          std::errc::no_such_file_or_directory);
    const auto throws = [&](xen::transaction& all) -> result<void> {
        must(all.write("data/a", "2"));
        throw std::runtime_error{"no"};
    };
    CHECK_THROWS_AS(static_cast<void>(store.transact(throws)), std::runtime_error);
    CHECK_FALSE(store.exists("data/a").value());
    CHECK(world.daemon.open_transactions(xen::domid{1}) == 0);
}

TEST_CASE("watch: tells of the path at once, then of each change, in order") {
    client_world world;
    auto watch = world.store.watch_path("data").value();
    CHECK(watch.next().value().path == "data");
    CHECK_FALSE(watch.ready());
    must(world.store.write("data/b", "1"));
    must(world.store.write("data/a", "1"));
    world.daemon.write("/local/domain/1/data/c", "");
    must(world.store.remove("data/b"));
    for (const auto* path : {"data/b", "data/a", "data/c", "data/b"})
        CHECK(watch.next().value().path == path);
    CHECK(code_of(watch.next(fiber::within(milliseconds{1}))) == std::errc::timed_out);
    std::stop_source stop;
    stop.request_stop();
    CHECK(code_of(watch.next(stop.get_token())) == std::errc::operation_canceled);
}

TEST_CASE("watch: events go by token, also where paths are alike") {
    client_world world;
    auto all = world.store.watch_path("data").value();
    auto same = world.store.watch_path("data").value();
    auto below = world.store.watch_path("/local/domain/1/data/a").value();
    auto beside = world.store.watch_path("data/ab").value();
    const auto skip_first = [](xen::watch& one) { return one.next().value().path; };
    CHECK(skip_first(all) == "data");
    CHECK(skip_first(same) == "data");
    CHECK(skip_first(below) == "/local/domain/1/data/a");
    CHECK(skip_first(beside) == "data/ab");
    must(world.store.write("data/a/x", ""));
    CHECK(all.next().value().path == "data/a/x");
    CHECK(same.next().value().path == "data/a/x");
    CHECK(below.next().value().path == "/local/domain/1/data/a/x");
    CHECK_FALSE(beside.ready());
}

TEST_CASE("watch: what is beyond its depth is told once, after what was kept") {
    client_world world;
    auto watch = world.store.watch_path("data").value();
    const auto write = [&](std::size_t number) { must(world.store.write("data/" + std::to_string(number), "")); };
    for (std::size_t i = 1; i < 2 * xen::watch::depth; ++i)
        write(i);
    CHECK(watch.next().value().path == "data");
    for (std::size_t i = 1; i < xen::watch::depth; ++i)
        CHECK(watch.next().value().path == "data/" + std::to_string(i));
    const auto last = watch.next().value();
    CHECK(last.coalesced);
    CHECK(last.path == "data");
    CHECK_FALSE(watch.ready());
    write(7);
    const auto next = watch.next().value();
    CHECK(next.path == "data/7");
    CHECK_FALSE(next.coalesced);
}

TEST_CASE("watch: ends with its owner, and what comes late is for nobody") {
    client_world world;
    {
        auto watch = world.store.watch_path("data").value();
        auto moved = std::move(watch);
        CHECK(moved.next().value().path == "data");
        CHECK(world.daemon.watches(xen::domid{1}) == 1);
    }
    world.daemon.write("/local/domain/1/data/x", "");
    CHECK(world.store.exists("domid").value());
    CHECK(world.daemon.watches(xen::domid{1}) == 0);
    auto watch = world.store.watch_path("data").value();
    CHECK(watch.end());
    CHECK(world.daemon.watches(xen::domid{1}) == 0);
}

TEST_CASE("watch: reset_watches() ends all of them") {
    client_world world;
    auto watch = world.store.watch_path("data").value();
    auto waiting = fiber::spawn([&] {
        watch.next().value();
        return code_of(watch.next());
    });
    fiber::sleep(fiber::within(milliseconds{1}));
    CHECK(world.store.reset_watches());
    CHECK(waiting.join() == xen::store_errc::reset);
    CHECK(world.daemon.watches(xen::domid{1}) == 0);
    CHECK(world.store.exists("domid").value());
}

TEST_CASE("xenstore: a thousand requests of fifty fibers, each with its own answer") {
    client_world world;
    std::vector<fiber::handle<void>> all;
    for (int i = 0; i < 50; ++i)
        all.push_back(fiber::spawn([&, i] {
            const auto node = "data/" + std::to_string(i);
            for (int j = 0; j < 10; ++j) {
                const auto value = std::string(static_cast<std::size_t>(i * 7 + j), 'x') + std::to_string(j);
                must(world.store.write(node, value));
                CHECK(world.store.read(node).value() == value);
            }
        }));
    for (auto& one : all)
        one.join();
    CHECK(world.daemon.requests == 1000);
}

TEST_CASE("xenstore: with sixteen in flight, at most a quarter of the notifications a request") {
    const auto notifications = [](unsigned fibers) {
        client_world world;
        unsigned calls = 0;
        world.host.before_call = [&](sim::domain& who, unsigned long number, unsigned long operation) {
            calls += who.id() == xen::domid{1} && number == __HYPERVISOR_event_channel_op && operation == EVTCHNOP_send;
        };
        std::vector<fiber::handle<void>> all;
        for (unsigned i = 0; i < fibers; ++i)
            all.push_back(fiber::spawn([&] {
                for (unsigned j = 0; j < 320 / fibers; ++j)
                    world.store.read("domid").value();
            }));
        for (auto& one : all)
            one.join();
        return calls;
    };
    CHECK(notifications(1) == 320);
    CHECK(notifications(16) <= 80);
}

/// Random operations of several fibers in disjoint places, whose results a plain map foretells; the daemon answers late
/// and in any order.
TEST_CASE("xenstore: random work of many fibers ends as a plain map says") {
    for (unsigned seed = 0; seed < 60; ++seed) {
        CAPTURE(seed);
        client_world world{seed};
        auto& random = world.host.random;
        if (seed % 2 == 0)
            world.daemon.delay = [&] { return random() % 3 * 1000; };
        if (seed % 3 == 0)
            world.daemon.chunk = 1 + random() % 40;
        std::map<std::string, std::string> expected;
        std::vector<fiber::handle<void>> all;
        for (int i = 0; i < 8; ++i)
            all.push_back(fiber::spawn([&, i] {
                const auto place = "data/" + std::to_string(i);
                must(world.store.mkdir(place));
                expected[place];
                for (int j = 0; j < 40; ++j) {
                    const auto node = place + "/" + std::to_string(random() % 4);
                    switch (random() % 6) {
                    case 0:
                    case 1: {
                        const std::string value(random() % 1500, static_cast<char>('a' + random() % 26));
                        must(world.store.write(node, value));
                        expected[node] = value;
                        break;
                    }
                    case 2:
                        must(world.store.remove(node));
                        expected.erase(node);
                        break;
                    case 3: {
                        const auto value = world.store.read(node);
                        const auto known = expected.find(node);
                        CHECK(value.has_value() == (known != expected.end()));
                        if (value && known != expected.end())
                            CHECK(*value == known->second);
                        break;
                    }
                    case 4: {
                        const auto done = world.store.transact([&](xen::transaction& inside) -> result<void> {
                            if (auto written = inside.write(place + "/0", "t"); !written)
                                return written;
                            return inside.write(place + "/1", "t");
                        });
                        REQUIRE(done);
                        expected[place + "/0"] = expected[place + "/1"] = "t";
                        break;
                    }
                    default: {
                        // Given up early: it may have been carried out or not, so the node is made certain again.
                        const auto done =
                            world.store.write(node, "late", fiber::within(std::chrono::nanoseconds{random() % 2000}));
                        if (!done)
                            must(world.store.write(node, "late"));
                        expected[node] = "late";
                    }
                    }
                }
            }));
        for (auto& one : all)
            one.join();
        const std::string home = "/local/domain/1/";
        for (const auto& [path, value] : expected)
            CHECK(world.daemon.read(home + path) == value);
        CHECK(world.daemon.listing(home + "data").size() == expected.size() + 1);
        CHECK_FALSE(world.store.broken());
        CHECK(world.daemon.open_transactions(xen::domid{1}) == 0);
    }
}

}  // namespace
