// SPDX-License-Identifier: BSD-3-Clause
// Everything that a domU may ask the real xenstored, what it may not, and in dom0 that there is none to ask.
#include "report.hpp"

#include <halvm/fiber.hpp>
#include <halvm/program.hpp>
#include <halvm/xen/store.hpp>

#include <algorithm>
#include <string>
#include <vector>

namespace {

using namespace halvm;
using namespace std::chrono_literals;
using xen::permission;

template <class Value>
bool fails(const result<Value>& done, std::errc code) {
    if (done)
        std::printf("did not fail\n");
    else if (done.error().code() != code)
        std::printf("%s\n", done.error().message().c_str());
    return !done && done.error().code() == code;
}

template <class Value>
bool works(const result<Value>& done) {
    if (!done)
        std::printf("%s\n", done.error().message().c_str());
    return done.has_value();
}

void values(xen::xenstore& store) {
    const auto id = store.read_number<unsigned>("domid").value();
    const auto home = store.domain_path(xen::domid{static_cast<domid_t>(id)}).value();
    HALVM_CHECK(home == "/local/domain/" + std::to_string(id));
    HALVM_CHECK(store.read(home + "/domid").value() == std::to_string(id));
    const std::string bytes("\0\n\xff value", 9);
    HALVM_CHECK(works(store.write("data/test/node", bytes)));
    HALVM_CHECK(store.read("data/test/node").value() == bytes);
    HALVM_CHECK(works(store.write("data/test/number", 42)));
    HALVM_CHECK(store.read_number<std::uint8_t>("data/test/number").value() == 42);
    HALVM_CHECK(works(store.mkdir("data/test/empty")));
    HALVM_CHECK(store.read("data/test/empty").value().empty());
    auto names = store.directory("data/test").value();
    std::ranges::sort(names);
    HALVM_CHECK(names == std::vector<std::string>({"empty", "node", "number"}));
    HALVM_CHECK(works(store.remove("data/test/node")));
    HALVM_CHECK(works(store.remove("data/test/node")));
    HALVM_CHECK(!store.exists("data/test/node").value());
    HALVM_CHECK(fails(store.read("data/test/node"), std::errc::no_such_file_or_directory));
    HALVM_CHECK(fails(store.directory("data/none"), std::errc::no_such_file_or_directory));
    HALVM_CHECK(store.read_state("data/none").value() == xen::device_state::unknown);
    HALVM_CHECK(store.read_path("console/nothing").has_value() == false);
}

void refusals(xen::xenstore& store) {
    HALVM_CHECK(fails(store.write("/tool/halvm", "x"), std::errc::permission_denied));
    HALVM_CHECK(fails(store.write("domid", "0"), std::errc::permission_denied));
    HALVM_CHECK(fails(store.remove("/local/domain/0"), std::errc::permission_denied));
    HALVM_CHECK(fails(store.read("bad path"), std::errc::invalid_argument));
    HALVM_CHECK(fails(store.write("data/test/long", std::string(4096, 'x')), std::errc::argument_list_too_long));
    HALVM_CHECK(fails(store.write("data/test/long", std::string(4000, 'x')), std::errc::no_space_on_device));
    HALVM_CHECK(fails(store.introduce(xen::domid{1}, xen::gfn{1}, xen::port{1}), std::errc::permission_denied));
    HALVM_CHECK(fails(store.release(xen::dom0), std::errc::permission_denied));
    HALVM_CHECK(fails(store.resume(xen::dom0), std::errc::permission_denied));
    HALVM_CHECK(fails(store.set_target(xen::dom0, xen::domid{1}), std::errc::permission_denied));
    HALVM_CHECK(!store.is_introduced(xen::dom0).has_value() || store.is_introduced(xen::dom0).value());
    HALVM_CHECK(fails(store.control({"help"}), std::errc::permission_denied));
    // The connection has not suffered.
    HALVM_CHECK(store.exists("domid").value());
}

void permissions(xen::xenstore& store) {
    const xen::domid own{store.read_number<domid_t>("domid").value()};
    const std::vector<permission> wanted{{own, permission::access::none}, {xen::dom0, permission::access::read}};
    HALVM_CHECK(works(store.write("data/test/shared", "x")));
    HALVM_CHECK(store.permissions("data/test/shared").value().front().who == own);
    HALVM_CHECK(works(store.set_permissions("data/test/shared", wanted)));
    HALVM_CHECK(store.permissions("data/test/shared").value() == wanted);
    HALVM_CHECK(!store.set_permissions("domid", wanted).has_value());
}

/// A domU's node and the names below it may take 2048 bytes; toolstack_test.py has a listing that is longer than a
/// message.
void listing(xen::xenstore& store) {
    std::vector<std::string> names;
    for (int i = 0; i < 30; ++i) {
        names.push_back("a-name-of-forty-bytes-so-that-it-is-long-" + std::to_string(1000 + i));
        HALVM_CHECK(works(store.write("data/test/many/" + names.back(), "")));
    }
    auto found = store.directory("data/test/many").value();
    std::ranges::sort(found);
    HALVM_CHECK(found == names);
    result<void> last;
    for (int i = 0; i < 30 && last; ++i)
        last = store.write("data/test/many/" + std::string(100, 'x') + std::to_string(i), "");
    HALVM_CHECK(fails(last, std::errc::no_space_on_device));
    HALVM_CHECK(works(store.remove("data/test/many")));
}

void transactions(xen::xenstore& store) {
    HALVM_CHECK(works(store.write("data/test/count", 0)));
    unsigned attempts = 0;
    const auto added = store.transact([&](xen::transaction& all) -> result<int> {
        const auto now = all.read_number<int>("data/test/count");
        if (!now)
            return failure(now.error());
        if (++attempts == 1)
            HALVM_CHECK(works(store.write("data/test/count", 10)));
        if (const auto written = all.write("data/test/count", *now + 1); !written)
            return failure(written.error());
        HALVM_CHECK(all.read_number<int>("data/test/count").value() == *now + 1);
        return *now + 1;
    });
    HALVM_CHECK(added.value() == 11 && attempts == 2);
    HALVM_CHECK(store.read("data/test/count").value() == "11");
    {
        auto thrown_away = store.start_transaction().value();
        HALVM_CHECK(works(thrown_away.write("data/test/count", 99)));
    }
    auto aborted = store.start_transaction().value();
    HALVM_CHECK(works(aborted.remove("data/test/count")));
    HALVM_CHECK(works(aborted.abort()));
    HALVM_CHECK(store.read("data/test/count").value() == "11");
    // More than the quota of a domain at one time: each of them was ended.
    for (int i = 0; i < 30; ++i)
        HALVM_CHECK(store.start_transaction().has_value());
}

void watches(xen::xenstore& store) {
    auto watch = store.watch_path("data/test").value();
    HALVM_CHECK(watch.next().value().path == "data/test");
    for (const char* node : {"data/test/b", "data/test/a", "data/test/b"}) {
        HALVM_CHECK(works(store.write(node, "x")));
        HALVM_CHECK(watch.next().value().path == node);
    }
    HALVM_CHECK(fails(watch.next(fiber::within(1ms)), std::errc::timed_out));
    HALVM_CHECK(works(watch.end()));
    auto reset = store.watch_path("data/test").value();
    HALVM_CHECK(reset.next().has_value());
    HALVM_CHECK(works(store.reset_watches()));
    HALVM_CHECK(!reset.next().has_value());
}

void many_at_once(xen::xenstore& store) {
    std::vector<fiber::handle<void>> all;
    for (int i = 0; i < 50; ++i)
        all.push_back(fiber::spawn(
            [&store, i] {
                const auto node = "data/test/" + std::to_string(i);
                const std::string value(static_cast<std::size_t>(i) * 20, 'v');
                for (int j = 0; j < 10; ++j) {
                    HALVM_CHECK(works(store.write(node, value + std::to_string(j))));
                    HALVM_CHECK(store.read(node).value() == value + std::to_string(j));
                }
            },
            {.stack = 16 << 10}));
    for (auto& one : all)
        one.join();
}

}  // namespace

int halvm_main() {
    auto& store = xen::store();
    if (!halvm::arguments().empty() && std::string_view{halvm::arguments()[0]} == "absent") {
        HALVM_CHECK(fails(store.read("domid"), std::errc::not_connected));
        HALVM_CHECK(fails(store.watch_path("data"), std::errc::not_connected));
        HALVM_CHECK(store.read("domid").error().message() == "XenStore: read domid: this domain has no XenStore");
        return report::verdict("store_operations");
    }
    values(store);
    refusals(store);
    permissions(store);
    listing(store);
    transactions(store);
    many_at_once(store);
    watches(store);
    HALVM_CHECK(works(store.remove("data/test")));
    HALVM_CHECK(!store.broken());
    return report::verdict("store_operations");
}
