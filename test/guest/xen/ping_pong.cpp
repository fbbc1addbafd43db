// SPDX-License-Identifier: BSD-3-Clause
// An event channel between two guests. With `fifo` on its command line a guest uses that ABI; the other need not.
#include "partner.hpp"

#include <halvm/program.hpp>
#include <halvm/xen/events.hpp>

namespace {

namespace xen = halvm::xen;
using kind = xen::port_status::kind;

constexpr int rounds = 500;

void choose_abi() {
    if (halvm::command_line().find("fifo") == std::string_view::npos)
        return;
    HALVM_CHECK(xen::events().use_fifo());
    HALVM_CHECK(xen::events().uses_fifo());
}

void offer(const partner& with) {
    choose_abi();
    auto& channels = xen::events();
    auto port = channels.alloc_unbound(with.id()).value();
    auto not_yours = channels.alloc_unbound(xen::dom0).value();
    HALVM_CHECK(port.status()->is == kind::unbound && port.status()->remote == with.id());
    with.tell("ports", {raw(port.number()), raw(not_yours.number())});

    for (int i = 0; i < rounds; ++i) {
        HALVM_CHECK(port.wait());
        HALVM_CHECK(port.send());
    }
    with.tell("played");
    const auto theirs = with.hear("bound").at(0);
    const auto status = port.status().value();
    HALVM_CHECK(status.is == kind::interdomain && status.remote == with.id() && raw(status.remote_port) == theirs);
    // As many came as were sent.
    HALVM_CHECK(!port.take());

    with.tell("counted");
    static_cast<void>(with.hear("three"));
    HALVM_CHECK(port.take());
    HALVM_CHECK(!port.take());

    with.tell("close");
    static_cast<void>(with.hear("closed"));
    HALVM_CHECK(port.status()->is == kind::unbound && port.status()->remote == with.id());
    HALVM_CHECK(port.send());
    with.tell("again");
    HALVM_CHECK(port.wait());
    HALVM_CHECK(port.send());
    static_cast<void>(with.hear("done"));
    port.close();
    not_yours.close();
}

void take(const partner& with) {
    choose_abi();
    auto& channels = xen::events();
    const auto ports = with.hear("ports");
    const xen::port theirs{static_cast<evtchn_port_t>(ports.at(0))};
    const xen::port not_mine{static_cast<evtchn_port_t>(ports.at(1))};
    const auto refused = channels.bind_interdomain(with.id(), not_mine);
    HALVM_CHECK(!refused && refused.error().code() == std::errc::invalid_argument);
    auto port = channels.bind_interdomain(with.id(), theirs).value();
    const auto second = channels.bind_interdomain(with.id(), theirs);
    HALVM_CHECK(!second && second.error().code() == std::errc::invalid_argument);
    HALVM_CHECK(port.take());  // what binding signals

    for (int i = 0; i < rounds; ++i) {
        HALVM_CHECK(port.send());
        HALVM_CHECK(port.wait());
    }
    HALVM_CHECK(!port.take());
    static_cast<void>(with.hear("played"));
    with.tell("bound", {raw(port.number())});

    static_cast<void>(with.hear("counted"));
    for (int i = 0; i < 3; ++i)
        HALVM_CHECK(port.send());
    with.tell("three");

    static_cast<void>(with.hear("close"));
    port.close();
    with.tell("closed");
    static_cast<void>(with.hear("again"));
    port = channels.bind_interdomain(with.id(), theirs).value();
    HALVM_CHECK(port.take());
    HALVM_CHECK(port.send());
    HALVM_CHECK(port.wait());
    with.tell("done");
}

}  // namespace

int halvm_main() { return play("ping_pong", offer, take); }
