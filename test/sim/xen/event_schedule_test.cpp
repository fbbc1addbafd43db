// SPDX-License-Identifier: BSD-3-Clause
// Event channels under random operations: what several domains do to their ports, against a model of a few lines; and
// consumers under random schedules, none of which may miss the last signal.
#include "event_world.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <random>
#include <vector>

namespace {

using namespace halvm;
using sim::event_world;
using sim::sim_port;
using kind = xen::port_status::kind;

/// A port, and what is to be true of it.
struct modelled {
    sim_port port;
    std::size_t owner;
    modelled* peer;  // itself for an ipi, nullptr while nobody is bound
    bool signalled;
    bool held = false;
};

class model {
public:
    explicit model(std::uint64_t seed) : host_{seed} {
        for (int i = 0; i < 3; ++i)
            worlds_.push_back(std::make_unique<event_world>(host_));
    }

    void step() {
        switch (pick(12)) {
        case 0: return bind_pair();
        case 1: return bind_ipi();
        case 2: return host_.poll();
        case 3: return go_over();
        default: break;
        }
        if (ports_.empty())
            return;
        const auto at = pick(ports_.size());
        modelled& one = *ports_[at];
        switch (pick(9)) {
        case 0: return close(at);
        case 1: one.port.mask(), one.held = true; break;
        case 2: one.port.unmask(), one.held = false; break;
        case 3: {
            sim_port moved = std::move(one.port);
            one.port = std::move(moved);
            break;
        }
        case 4: sim::raise(host_, worlds_[one.owner]->domain, one.port.number()), one.signalled = true; break;
        case 5: lose(one); break;
        case 6: CHECK(one.port.status()->is == kind_of(one)); break;
        case 7: send(one); break;
        default:  // One that listens is found by the next poll, and keeps its signal, for nobody waits.
            CHECK((pick(2) == 0 ? one.port.take() : one.port.listen()) == (one.signalled && !one.held));
            one.signalled = one.signalled && one.held;
        }
    }

    void end() {
        while (!ports_.empty())
            close(ports_.size() - 1);
        for (const auto& one : worlds_) {
            CHECK(one->channels.in_use() == 0);
            CHECK(one->domain.events.ports_in_use() == 0);
        }
    }

private:
    std::size_t pick(std::size_t count) { return static_cast<std::size_t>(host_.random() % count); }

    modelled& add(sim_port&& port, std::size_t owner, bool signalled) {
        return *ports_.emplace_back(new modelled{std::move(port), owner, nullptr, signalled});
    }

    void bind_pair() {
        const auto left = pick(worlds_.size()), right = pick(worlds_.size());
        auto& here = add(worlds_[left]->channels.alloc_unbound(worlds_[right]->domain.id()).value(), left, false);
        auto& there =
            add(worlds_[right]->channels.bind_interdomain(worlds_[left]->domain.id(), here.port.number()).value(),
                right, true);
        here.peer = &there;
        there.peer = &here;
    }

    void bind_ipi() {
        const auto owner = pick(worlds_.size());
        auto& one = add(worlds_[owner]->channels.bind_ipi().value(), owner, false);
        one.peer = &one;
    }

    void go_over() {
        if (pick(20) == 0)
            CHECK(worlds_[pick(worlds_.size())]->channels.use_fifo());
    }

    static void send(modelled& one) {
        CHECK(one.port.send());
        if (one.peer != nullptr)
            one.peer->signalled = true;
    }

    void lose(modelled& one) {
        if (one.peer == nullptr)
            return;
        worlds_[one.peer->owner]->domain.events.lose[one.peer->port.number()] = 1;
        CHECK(one.port.send());
    }

    static kind kind_of(const modelled& one) {
        return one.peer == &one ? kind::ipi : one.peer == nullptr ? kind::unbound : kind::interdomain;
    }

    void close(std::size_t at) {
        modelled& one = *ports_[at];
        if (one.peer != nullptr)
            one.peer->peer = nullptr;
        one.port.close();
        ports_.erase(ports_.begin() + static_cast<std::ptrdiff_t>(at));
    }

    sim::hypervisor host_;
    std::vector<std::unique_ptr<event_world>> worlds_;
    std::vector<std::unique_ptr<modelled>> ports_;
};

TEST_CASE("event channels: what random operations leave is what a model says") {
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        CAPTURE(seed);
        model world{seed};
        for (int i = 0; i < 1000; ++i)
            world.step();
        world.end();
    }
}

TEST_CASE("event channels: no consumer misses the last signal, under random schedules") {
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        CAPTURE(seed);
        sim::hypervisor host{seed};
        event_world producer{host}, consumer{host};
        if (seed % 2 == 0)
            REQUIRE(consumer.channels.use_fifo());
        const auto pick = [&](std::uint64_t count) { return host.random() % count; };
        struct channel {
            sim::pair_of_ports ports;
            unsigned produced = 0;
            unsigned seen = 0;
        };
        std::vector<std::unique_ptr<channel>> channels;
        for (int i = 0; i < 5; ++i)
            channels.emplace_back(new channel{{consumer, producer}});

        std::vector<fiber::handle<void>> fibers;
        for (auto& each : channels) {
            fibers.push_back(fiber::spawn([&, one = each.get()] {
                for (;;) {
                    // A poll may come at any moment of what a consumer does, and it may look at other things too.
                    const auto how = pick(3) == 0 ? one->ports.here.wait(fiber::wait_limit{host.now() + pick(3000)})
                                                  : one->ports.here.wait();
                    if (!how && how.error() == std::make_error_code(std::errc::broken_pipe))
                        return;
                    one->seen = one->produced;
                    if (pick(4) == 0)
                        one->ports.here.was_spurious();
                    for (auto turns = pick(4); turns != 0; --turns)
                        fiber::yield();
                }
            }));
            fibers.push_back(fiber::spawn([&, one = each.get()] {
                for (int i = 0; i < 50; ++i) {
                    ++one->produced;
                    REQUIRE(one->ports.there.send());
                    if (pick(2) == 0)
                        fiber::sleep(fiber::wait_limit{host.now() + pick(2000)});
                    if (pick(8) == 0)
                        sim::raise(host, consumer.domain, one->ports.here.number());
                    if (pick(8) == 0)
                        host.poll();
                }
            }));
        }
        fiber::sleep(fiber::wait_limit{host.now() + 10'000'000'000});
        for (auto& each : channels) {
            CHECK(each->produced == 50);
            CHECK(each->seen == each->produced);
            each->ports.here.close();
        }
        for (auto& each : fibers)
            each.join();
    }
}

}  // namespace
