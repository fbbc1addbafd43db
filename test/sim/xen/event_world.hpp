// SPDX-License-Identifier: BSD-3-Clause
// Simulated domains with event channels, for whoever tests what stands on them.
#pragma once

#include "hypervisor.hpp"

#include <halvm/xen/event_channel.hpp>

namespace halvm::sim {

using sim_port = xen::basic_port<domain>;

/// A domain whose ports are looked at when the scheduler polls. Must outlive the fibers that use it.
struct event_world {
    explicit event_world(hypervisor& host) : domain{host.create()} {
        domain.on_poll = [this] { channels.poll(); };
    }
    ~event_world() { domain.on_poll = nullptr; }
    event_world(const event_world&) = delete;
    event_world& operator=(const event_world&) = delete;

    sim::domain& domain;
    xen::basic_event_channels<sim::domain> channels{domain};
};

/// A channel between two domains.
struct pair_of_ports {
    pair_of_ports(event_world& one, event_world& other)
        : here{one.channels.alloc_unbound(other.domain.id()).value()},
          there{other.channels.bind_interdomain(one.domain.id(), here.number()).value()} {}

    sim_port here;
    sim_port there;
};

}  // namespace halvm::sim
