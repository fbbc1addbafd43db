// SPDX-License-Identifier: BSD-3-Clause
// Event channels between simulated domains.
#include "event_world.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

namespace {

using namespace halvm;
using namespace std::chrono_literals;
using sim::event_world;
using sim::pair_of_ports;
using sim::sim_port;
using xen::port;
using kind = xen::port_status::kind;

bool is(const result<void>& ended, std::errc how) {
    return !ended && ended.error() == std::error_code{std::make_error_code(how)};
}
template <class Value>
bool refused(const result<Value>& answer, std::errc how) {
    return !answer && answer.error().code() == std::make_error_condition(how);
}

struct two_level {};
struct fifo {};

/// A domain whose ports use that ABI.
template <class Abi>
struct world : event_world {
    explicit world(sim::hypervisor& host) : event_world{host} {
        if constexpr (std::is_same_v<Abi, fifo>)
            REQUIRE(channels.use_fifo());
        REQUIRE(domain.events.fifo() == std::is_same_v<Abi, fifo>);
    }
};

TEST_CASE_TEMPLATE("event channels: a signal arrives at the other end, and nowhere else", Abi, two_level, fifo) {
    sim::hypervisor host;
    world<Abi> one{host}, other{host};
    pair_of_ports pair{one, other}, bystander{one, other};
    REQUIRE(bystander.there.wait());  // what binding itself signals
    REQUIRE(pair.there.wait());

    auto waiting = fiber::spawn([&] { return pair.here.wait().has_value(); });
    fiber::yield();
    CHECK(pair.there.send());
    CHECK(waiting.join());
    CHECK_FALSE(pair.here.take());
    CHECK_FALSE(bystander.here.take());
    CHECK_FALSE(bystander.there.take());
}

TEST_CASE_TEMPLATE("event channels: a signal that comes before the wait is kept, and two are one", Abi, two_level,
                   fifo) {
    sim::hypervisor host;
    world<Abi> one{host}, other{host};
    pair_of_ports pair{one, other};
    REQUIRE(pair.here.send());
    REQUIRE(pair.here.send());
    fiber::yield();
    host.poll();
    CHECK(pair.there.wait());
    CHECK(is(pair.there.wait(fiber::within(1ms)), std::errc::timed_out));
}

TEST_CASE_TEMPLATE("event channels: a port that nobody waits for tells the domain once of any number of signals", Abi,
                   two_level, fifo) {
    sim::hypervisor host;
    world<Abi> one{host}, other{host};
    pair_of_ports pair{one, other};
    REQUIRE(pair.here.wait(fiber::within(1ms)).error() == std::make_error_code(std::errc::timed_out));
    const auto before = one.domain.events.upcalls;
    for (int i = 0; i < 1000; ++i) {
        REQUIRE(pair.there.send());
        host.poll();
    }
    CHECK(one.domain.events.upcalls - before <= 1);
    CHECK(pair.here.take());
}

TEST_CASE_TEMPLATE("event channels: a signal ends the wait of every fiber", Abi, two_level, fifo) {
    sim::hypervisor host;
    world<Abi> one{host};
    auto ipi = one.channels.bind_ipi().value();
    int woken = 0;
    std::vector<fiber::handle<void>> waiting;
    for (int i = 0; i < 5; ++i)
        waiting.push_back(fiber::spawn([&] { woken += ipi.wait().has_value() ? 1 : 0; }));
    fiber::yield();
    REQUIRE(ipi.send());
    for (auto& one_of_them : waiting)
        one_of_them.join();
    CHECK(woken == 5);
}

TEST_CASE_TEMPLATE("event channels: a deadline and a stop end a wait, a signal that is there comes first", Abi,
                   two_level, fifo) {
    sim::hypervisor host;
    world<Abi> one{host};
    auto ipi = one.channels.bind_ipi().value();
    CHECK(is(ipi.wait(fiber::within(5us)), std::errc::timed_out));
    std::stop_source stop;
    stop.request_stop();
    CHECK(is(ipi.wait(stop.get_token()), std::errc::operation_canceled));
    CHECK(ipi.wait(stop.get_token()).error().message() ==
          "wait for port " + std::to_string(xen::raw(ipi.number())) + ": Operation canceled");

    REQUIRE(ipi.send());
    CHECK(ipi.wait(fiber::wait_limit{host.now()}));
    REQUIRE(ipi.send());
    CHECK(ipi.wait(stop.get_token()));
    CHECK(is(ipi.wait(fiber::wait_limit{host.now()}), std::errc::timed_out));
}

TEST_CASE_TEMPLATE("event channels: closing a port ends the waits of its fibers with broken_pipe", Abi, two_level,
                   fifo) {
    sim::hypervisor host;
    world<Abi> one{host};
    std::optional<sim_port> ipi = one.channels.bind_ipi().value();
    int closed = 0;
    std::vector<fiber::handle<void>> waiting;
    for (int i = 0; i < 3; ++i)
        waiting.push_back(fiber::spawn([&] { closed += is(ipi->wait(), std::errc::broken_pipe) ? 1 : 0; }));
    fiber::yield();
    SUBCASE("by close()") { ipi->close(); }
    SUBCASE("by its end") { ipi.reset(); }
    for (auto& one_of_them : waiting)
        one_of_them.join();
    CHECK(closed == 3);
    CHECK(one.domain.events.ports_in_use() == 0);
}

TEST_CASE_TEMPLATE("event channels: a peer that closes leaves the port unbound, and signals to it are gone", Abi,
                   two_level, fifo) {
    sim::hypervisor host;
    world<Abi> one{host}, other{host};
    pair_of_ports pair{one, other};
    CHECK(pair.here.status()->is == kind::interdomain);
    CHECK(pair.here.status()->remote == other.domain.id());
    CHECK(pair.here.status()->remote_port == pair.there.number());
    SUBCASE("its port") { pair.there.close(); }
    SUBCASE("by its end as a domain") { host.destroy(other.domain); }
    CHECK(pair.here.status()->is == kind::unbound);
    CHECK(pair.here.send());
    CHECK(is(pair.here.wait(fiber::within(1ms)), std::errc::timed_out));
}

TEST_CASE_TEMPLATE("event channels: select takes the port that was signalled", Abi, two_level, fifo) {
    sim::hypervisor host;
    world<Abi> one{host};
    auto first = one.channels.bind_ipi().value();
    auto second = one.channels.bind_ipi().value();
    host.after(1000, [&] { sim::raise(host, one.domain, second.number()); });
    CHECK(fiber::select({}, signalled(first), signalled(second), fiber::after(1s)).value() == 1);
    CHECK_FALSE(second.take());
    REQUIRE(first.send());
    CHECK(fiber::select({}, signalled(second), signalled(first)).value() == 1);
    CHECK(fiber::select({}, signalled(first), fiber::after(1ms)).value() == 1);
    // What was left listening is not lost.
    REQUIRE(first.send());
    host.poll();
    CHECK(first.wait(fiber::wait_limit{host.now()}));
}

TEST_CASE_TEMPLATE("event channels: a masked port keeps its signal until it is unmasked", Abi, two_level, fifo) {
    sim::hypervisor host;
    world<Abi> one{host};
    auto ipi = one.channels.bind_ipi().value();
    ipi.mask();
    REQUIRE(ipi.send());
    CHECK_FALSE(ipi.take());
    CHECK(is(ipi.wait(fiber::within(1ms)), std::errc::timed_out));
    auto waiting = fiber::spawn([&] { return ipi.wait().has_value(); });
    fiber::yield();
    ipi.unmask();
    CHECK(waiting.join());
}

TEST_CASE_TEMPLATE("event channels: an owner that moves keeps its port, adopting one does not close it", Abi, two_level,
                   fifo) {
    sim::hypervisor host;
    world<Abi> one{host};
    {
        auto ipi = one.channels.bind_ipi().value();
        auto moved = std::move(ipi);
        CHECK_FALSE(ipi.is_open());
        REQUIRE(moved.send());
        CHECK(moved.wait());
        ipi = std::move(moved);
        auto waiting = fiber::spawn([&] { return ipi.wait().has_value(); });
        fiber::yield();
        REQUIRE(ipi.send());
        CHECK(waiting.join());
        CHECK(one.channels.in_use() == 1);
    }
    CHECK(one.channels.in_use() == 0);
    CHECK(one.domain.events.ports_in_use() == 0);

    evtchn_bind_ipi_t request{};
    REQUIRE(xen::call(one.domain, __HYPERVISOR_event_channel_op, EVTCHNOP_bind_ipi, &request) == 0);
    sim::raise(host, one.domain, port{request.port});
    host.poll();  // nobody's yet, and still not lost
    {
        auto adopted = one.channels.adopt(port{request.port}).value();
        CHECK(adopted.wait(fiber::within(1ms)));
    }
    CHECK(one.domain.events.ports_in_use() == 1);
}

TEST_CASE_TEMPLATE("event channels: what Xen refuses is an error that names what was asked for", Abi, two_level, fifo) {
    sim::hypervisor host;
    world<Abi> dom0{host}, one{host};
    auto& channels = one.channels;
    CHECK(channels.bind_interdomain(xen::domid{77}, port{1}).error().message() ==
          "bind to port 1 of domain 77: No such process");
    CHECK(refused(channels.bind_interdomain(dom0.domain.id(), port{99999}), std::errc::invalid_argument));
    const auto for_dom0 = dom0.channels.alloc_unbound(xen::dom0).value();
    CHECK(refused(channels.bind_interdomain(dom0.domain.id(), for_dom0.number()), std::errc::invalid_argument));
    CHECK(refused(channels.bind_pirq(xen::pirq{3}), std::errc::operation_not_permitted));
    CHECK(refused(channels.alloc_unbound_for(xen::dom0, xen::dom0), std::errc::operation_not_permitted));
    CHECK(refused(channels.status(xen::dom0, port{1}), std::errc::operation_not_permitted));
    CHECK(refused(channels.status(xen::self, port{1u << 30}), std::errc::invalid_argument));
    CHECK(refused(channels.adopt(port{}), std::errc::invalid_argument));
    CHECK(refused(channels.bind_virq(xen::virq{NR_VIRQS}), std::errc::invalid_argument));
    auto debug = channels.bind_virq(xen::virq::debug).value();
    CHECK(refused(channels.bind_virq(xen::virq::debug), std::errc::file_exists));
    CHECK(debug.send().error().message() ==
          "send through port " + std::to_string(xen::raw(debug.number())) + ": Invalid argument");
    CHECK(one.domain.events.ports_in_use() == 1);
}

TEST_CASE_TEMPLATE("event channels: interrupts of Xen's arrive, and dom0 may bind all kinds", Abi, two_level, fifo) {
    sim::hypervisor host;
    world<Abi> dom0{host}, other{host};
    auto timer = dom0.channels.bind_virq(xen::virq::timer).value();
    CHECK(timer.status()->is == kind::virq);
    CHECK(timer.status()->interrupt == VIRQ_TIMER);
    REQUIRE(xen::call(dom0.domain, __HYPERVISOR_set_timer_op, host.now() + 500) == 0);
    CHECK(timer.wait(fiber::within(1us)));
    auto pirq = dom0.channels.bind_pirq(xen::pirq{3}, true).value();
    CHECK(pirq.status()->is == kind::pirq);
    CHECK(pirq.status()->interrupt == 3);
    const auto theirs = dom0.channels.alloc_unbound_for(other.domain.id(), xen::dom0).value();
    CHECK(dom0.channels.status(other.domain.id(), theirs)->remote == xen::dom0);
    auto bound = dom0.channels.bind_interdomain(other.domain.id(), theirs).value();
    CHECK(bound.status()->remote_port == theirs);
}

TEST_CASE_TEMPLATE("event channels: a signal that is lost is a deadline, and one for nothing a wait that ends", Abi,
                   two_level, fifo) {
    sim::hypervisor host;
    world<Abi> one{host}, other{host};
    pair_of_ports pair{one, other};
    one.domain.events.lose[pair.here.number()] = 2;
    REQUIRE(pair.there.send());
    REQUIRE(pair.there.send());
    CHECK(is(pair.here.wait(fiber::within(1s)), std::errc::timed_out));
    host.after(100, [&] { sim::raise(host, one.domain, pair.here.number()); });
    CHECK(pair.here.wait(fiber::within(1s)));
    // Of a port that does not exist, too.
    one.domain.events.ports.resize(4000);
    sim::raise(host, one.domain, port{3999});
    host.poll();
    CHECK(is(pair.here.wait(fiber::within(1s)), std::errc::timed_out));
}

TEST_CASE_TEMPLATE("event channels: a storm on all ports leaves every fiber its turn", Abi, two_level, fifo) {
    sim::hypervisor host;
    world<Abi> one{host}, other{host};
    std::vector<pair_of_ports> pairs;
    for (int i = 0; i < 50; ++i)
        pairs.emplace_back(one, other);
    const auto storm = [&] {
        for (auto& pair : pairs)
            static_cast<void>(pair.there.send());
    };
    std::vector<unsigned> handled(pairs.size());
    std::stop_source stop;
    std::vector<fiber::handle<void>> drivers;
    for (std::size_t i = 0; i < pairs.size(); ++i)
        drivers.push_back(fiber::spawn([&, i] {
            while (pairs[i].here.wait(stop.get_token()) && !stop.stop_requested()) {
                ++handled[i];
                storm();  // as if from another processor, at each moment
            }
        }));
    storm();
    fiber::yield();
    // Each has one turn a round, whatever came in it.
    unsigned unfair = 0;
    for (unsigned turns = 1; turns <= 1000; ++turns) {
        fiber::yield();
        for (const unsigned count : handled)
            unfair += count == turns ? 0 : 1;
    }
    CHECK(unfair == 0);
    stop.request_stop();
    for (auto& driver : drivers)
        driver.join();
}

TEST_CASE_TEMPLATE("event channels: signals that are said to be spurious are listened to less and less often", Abi,
                   two_level, fifo) {
    sim::hypervisor host;
    world<Abi> one{host}, other{host};
    pair_of_ports pair{one, other};
    std::function<void()> storm = [&] {
        sim::raise(host, one.domain, pair.here.number());
        host.after(1000, storm);
    };
    storm();
    const auto begin = host.now();
    for (int i = 0; i < 12; ++i) {
        REQUIRE(pair.here.wait());
        pair.here.was_spurious();
    }
    CHECK(host.now() - begin >= 1'000'000'000u);  // 1, 2, 4 ... 512 ms
    CHECK(host.now() - begin <= 1'030'000'000u);
    // A pause ends with the deadline, and is over after a signal that was for something.
    CHECK(is(pair.here.wait(fiber::within(1ms)), std::errc::timed_out));
    REQUIRE(pair.here.wait());
    const auto after = host.now();
    REQUIRE(pair.here.wait());
    CHECK(host.now() - after <= 2000);
}

TEST_CASE("event channels: all ports of the 2-level ABI, and an error for one more") {
    sim::hypervisor host;
    event_world one{host};
    std::vector<sim_port> ports;
    for (std::size_t i = 1; i < EVTCHN_2L_NR_CHANNELS; ++i)
        ports.push_back(one.channels.bind_ipi().value());
    CHECK(refused(one.channels.bind_ipi(), std::errc::no_space_on_device));
    CHECK(refused(one.channels.adopt(port{EVTCHN_2L_NR_CHANNELS}), std::errc::no_space_on_device));
    std::size_t woken = 0;
    std::vector<fiber::handle<void>> waiting;
    for (auto& each : ports)
        waiting.push_back(fiber::spawn([&] { woken += each.wait().has_value() ? 1 : 0; }));
    fiber::yield();
    for (auto& each : ports)
        REQUIRE(each.send());
    for (auto& each : waiting)
        each.join();
    CHECK(woken == ports.size());
}

TEST_CASE("event channels: with the FIFO ABI more ports than bitmaps hold") {
    sim::hypervisor host;
    world<fifo> one{host};
    std::vector<sim_port> ports(3 * EVTCHN_2L_NR_CHANNELS);
    for (auto& each : ports)
        each = one.channels.bind_ipi().value();
    for (auto& each : ports)
        REQUIRE(each.send());
    for (auto& each : ports)
        REQUIRE(each.wait(fiber::wait_limit{host.now()}));
    CHECK(refused(one.channels.adopt(port{EVTCHN_FIFO_NR_CHANNELS}), std::errc::no_space_on_device));
}

TEST_CASE("event channels: going over to the FIFO ABI loses nothing that has come, and no fiber that waits") {
    sim::hypervisor host;
    event_world one{host};
    const auto bind = [&] { return one.channels.bind_ipi().value(); };
    auto quiet = bind(), signalled_before = bind(), waited_for = bind(), masked = bind(), both = bind();
    evtchn_bind_ipi_t nobodys{};
    REQUIRE(xen::call(one.domain, __HYPERVISOR_event_channel_op, EVTCHNOP_bind_ipi, &nobodys) == 0);
    sim::raise(host, one.domain, port{nobodys.port});
    auto first = fiber::spawn([&] { return waited_for.wait().has_value(); });
    auto second = fiber::spawn([&] { return both.wait().has_value(); });
    fiber::yield();
    masked.mask();
    REQUIRE(masked.send());
    REQUIRE(signalled_before.send());
    REQUIRE(both.send());  // and not polled since
    REQUIRE(one.channels.use_fifo());
    REQUIRE(one.domain.events.fifo());
    REQUIRE(one.channels.use_fifo());  // once more is nothing

    CHECK(second.join());
    CHECK(signalled_before.take());
    CHECK_FALSE(quiet.take());
    CHECK_FALSE(masked.take());
    masked.unmask();
    CHECK(masked.take());
    REQUIRE(waited_for.send());
    CHECK(first.join());
    CHECK(one.channels.adopt(port{nobodys.port})->take());
}

TEST_CASE("event channels: without the FIFO ABI, or the memory for it, the other one goes on") {
    sim::hypervisor host{1, 64};
    event_world one{host};
    auto ipi = one.channels.bind_ipi().value();
    const auto frames = host.frames.free_frames();
    SUBCASE("not offered") {
        one.domain.events.fifo_offered = false;
        CHECK(refused(one.channels.use_fifo(), std::errc::function_not_supported));
    }
    SUBCASE("no memory") {
        void* const most = one.domain.allocate_pages(frames - 1);
        CHECK(refused(one.channels.use_fifo(), std::errc::not_enough_memory));
        one.domain.free_pages(most, frames - 1);
    }
    CHECK(host.frames.free_frames() == frames);
    REQUIRE(ipi.send());
    CHECK(ipi.wait());
    CHECK(refused(ipi.set_priority(1), std::errc::function_not_supported));
}

TEST_CASE("event channels: an event array that does not grow is an error of the port that needed it") {
    sim::hypervisor host;
    world<fifo> one{host};
    std::vector<sim_port> ports(1023);
    for (auto& each : ports)
        each = one.channels.bind_ipi().value();
    const auto frames = host.frames.free_frames();
    host.refuse(one.domain, __HYPERVISOR_event_channel_op, EVTCHNOP_expand_array, -XEN_ENOMEM);
    CHECK(refused(one.channels.bind_ipi(), std::errc::not_enough_memory));
    CHECK(one.domain.events.ports_in_use() == ports.size());
    CHECK(host.frames.free_frames() == frames);
    auto later = one.channels.bind_ipi().value();
    REQUIRE(later.send());
    CHECK(later.wait());
}

TEST_CASE("event channels: of what one poll finds, the higher priority is told first") {
    sim::hypervisor host;
    world<fifo> one{host};
    std::vector<sim_port> ports(16);
    std::vector<unsigned> order;
    std::vector<fiber::handle<void>> waiting;
    for (unsigned i = 0; i < ports.size(); ++i) {
        ports[i] = one.channels.bind_ipi().value();
        REQUIRE(ports[i].set_priority(15 - i));
        waiting.push_back(fiber::spawn([&, i] {
            REQUIRE(ports[i].wait());
            order.push_back(15 - i);
        }));
    }
    CHECK(refused(ports[0].set_priority(16), std::errc::invalid_argument));
    fiber::yield();
    for (auto& each : ports)
        REQUIRE(each.send());
    for (auto& each : waiting)
        each.join();
    CHECK(order.size() == ports.size());
    CHECK(std::is_sorted(order.begin(), order.end()));
}

}  // namespace
