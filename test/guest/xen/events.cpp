// SPDX-License-Identifier: BSD-3-Clause
// Event channels under the real hypervisor, the domain being its own peer.
#include "report.hpp"

#include "core/events.hpp"

#include <halvm/fiber.hpp>
#include <halvm/time.hpp>
#include <halvm/xen/events.hpp>

#include <chrono>
#include <utility>
#include <vector>

namespace {

namespace fiber = halvm::fiber;
namespace xen = halvm::xen;
using namespace std::chrono_literals;
using kind = xen::port_status::kind;

template <class Value>
bool failed(const halvm::result<Value>& answer, std::errc how) {
    return !answer && answer.error().code() == std::make_error_condition(how);
}

std::pair<xen::event_port, xen::event_port> loop(xen::event_channels& channels) {
    auto here = channels.alloc_unbound(xen::self).value();
    auto there = channels.bind_interdomain(xen::self, here.number()).value();
    return {std::move(here), std::move(there)};
}

void send_and_wait(xen::event_channels& channels) {
    auto [here, there] = loop(channels);
    HALVM_CHECK(here.status()->is == kind::interdomain);
    HALVM_CHECK(here.status()->remote_port == there.number());
    HALVM_CHECK(there.take());  // what binding signals
    HALVM_CHECK(!here.take());
    fiber::event heard;
    auto waiting = fiber::spawn([&] {
        const bool first = here.wait().has_value();
        heard.set();
        return first && here.wait().has_value();
    });
    fiber::yield();
    HALVM_CHECK(there.send());
    // A second one before the first has been taken would be one with it.
    heard.wait();
    HALVM_CHECK(there.send());
    HALVM_CHECK(waiting.join());
    HALVM_CHECK(failed(here.wait(fiber::within(2ms)), std::errc::timed_out));
    // One that was kept.
    HALVM_CHECK(there.send());
    HALVM_CHECK(there.send());
    HALVM_CHECK(here.wait());
    HALVM_CHECK(!here.take());
    there.close();
    HALVM_CHECK(here.status()->is == kind::unbound);
    HALVM_CHECK(here.send());

    auto closing = fiber::spawn([&] { return failed(here.wait(), std::errc::broken_pipe); });
    fiber::yield();
    here.close();
    HALVM_CHECK(closing.join());
}

void interrupts(xen::event_channels& channels) {
    auto ipi = channels.bind_ipi().value();
    HALVM_CHECK(ipi.status()->is == kind::ipi);
    ipi.mask();
    HALVM_CHECK(ipi.send());
    HALVM_CHECK(failed(ipi.wait(fiber::within(1ms)), std::errc::timed_out));
    ipi.unmask();
    HALVM_CHECK(ipi.wait());

    auto debug = channels.bind_virq(xen::virq::debug).value();
    HALVM_CHECK(debug.status()->is == kind::virq);
    HALVM_CHECK(debug.status()->interrupt == VIRQ_DEBUG);
    HALVM_CHECK(failed(channels.bind_virq(xen::virq::debug), std::errc::file_exists));
    HALVM_CHECK(failed(debug.send(), std::errc::invalid_argument));
    HALVM_CHECK(failed(channels.bind_virq(xen::virq{NR_VIRQS}), std::errc::invalid_argument));
}

void refusals(xen::event_channels& channels) {
    HALVM_CHECK(failed(channels.bind_interdomain(xen::domid{999}, xen::port{1}), std::errc::no_such_process));
    HALVM_CHECK(failed(channels.bind_interdomain(xen::self, xen::port{1u << 30}), std::errc::invalid_argument));
    HALVM_CHECK(failed(channels.status(xen::self, xen::port{1u << 30}), std::errc::invalid_argument));
    HALVM_CHECK(failed(channels.bind_pirq(xen::pirq{100'000}), std::errc::invalid_argument));
    HALVM_CHECK(channels.bind_interdomain(xen::domid{999}, xen::port{7}).error().message() ==
                "bind to port 7 of domain 999: No such process");
}

/// As many ports as the ABI has, or at least `enough`; every one of them works.
void many(xen::event_channels& channels, std::size_t enough) {
    std::vector<xen::event_port> ports;
    while (ports.size() < enough) {
        auto one = channels.bind_ipi();
        if (!one) {
            HALVM_CHECK(failed(one, std::errc::no_space_on_device));
            break;
        }
        ports.push_back(std::move(*one));
    }
    if (!channels.uses_fifo())
        HALVM_CHECK(halvm::xen::raw(ports.back().number()) == EVTCHN_2L_NR_CHANNELS - 1);
    else
        HALVM_CHECK(ports.size() == enough);
    std::size_t woken = 0;
    std::vector<fiber::handle<void>> waiting;
    for (auto& each : ports)
        waiting.push_back(
            fiber::spawn([&] { woken += each.wait().has_value() ? 1 : 0; }, {.stack = 8192, .guarded = false}));
    fiber::yield();
    for (auto& each : ports)
        HALVM_CHECK(each.send());
    for (auto& each : waiting)
        each.join();
    HALVM_CHECK(woken == ports.size());
    std::printf("%zu ports\n", ports.size());
}

void priorities(xen::event_channels& channels) {
    auto low = channels.bind_ipi().value(), high = channels.bind_ipi().value();
    HALVM_CHECK(low.set_priority(15));
    HALVM_CHECK(high.set_priority(0));
    HALVM_CHECK(failed(high.set_priority(16), std::errc::invalid_argument));
    std::vector<char> order;
    auto first = fiber::spawn([&] { HALVM_CHECK(low.wait()), order.push_back('l'); });
    auto second = fiber::spawn([&] { HALVM_CHECK(high.wait()), order.push_back('h'); });
    fiber::yield();
    HALVM_CHECK(low.send());
    HALVM_CHECK(high.send());
    first.join();
    second.join();
    HALVM_CHECK(order == (std::vector{'h', 'l'}));
}

}  // namespace

int halvm_main() {
    auto& bitmaps = halvm::core::events();
    HALVM_CHECK(!bitmaps.uses_fifo());
    send_and_wait(bitmaps);
    interrupts(bitmaps);
    refusals(bitmaps);
    many(bitmaps, 5000);

    // What has come to ports, and the fibers that wait, go over with them.
    auto [here, there] = loop(bitmaps);
    auto [kept, sender] = loop(bitmaps);
    HALVM_CHECK(sender.send());
    auto waiting = fiber::spawn([&, &here = here] { return here.wait().has_value(); });
    fiber::yield();
    auto& queues = xen::events();
    HALVM_CHECK(&queues == &bitmaps);
    HALVM_CHECK(queues.uses_fifo());
    HALVM_CHECK(kept.take());
    HALVM_CHECK(there.send());
    HALVM_CHECK(waiting.join());
    HALVM_CHECK(!here.take());

    send_and_wait(queues);
    interrupts(queues);
    refusals(queues);
    many(queues, 9000);
    priorities(queues);
    HALVM_CHECK(queues.in_use() == 4);
    return report::verdict("events");
}
