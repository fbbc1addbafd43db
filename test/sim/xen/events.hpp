// SPDX-License-Identifier: BSD-3-Clause
// Event channels as the hypervisor keeps them, both ABIs. One VCPU a domain. [xen/event_channel.h]
#pragma once

#include <halvm/fiber/timers.hpp>
#include <halvm/xen/numbers.hpp>

#include <array>
#include <cstdint>
#include <map>
#include <vector>

namespace halvm::sim {

class domain;
class hypervisor;

/// One of a domain's ports; `state` is an EVTCHNSTAT_*.
struct event_port {
    std::uint32_t state = EVTCHNSTAT_closed;
    xen::domid remote{};
    std::uint32_t remote_port = 0;
    std::uint32_t interrupt = 0;
    unsigned priority = EVTCHN_FIFO_PRIORITY_DEFAULT;
    bool pending = false;  // kept for when the event array reaches this far
};

/// What Xen knows of one domain's ports.
struct event_state {
    // What the test sets.
    std::uint32_t most = EVTCHN_FIFO_NR_CHANNELS;  ///< ports that the toolstack allows
    bool fifo_offered = true;
    std::map<xen::port, unsigned> lose;  ///< how many of the next signals of a port never arrive

    // What the test asks.
    [[nodiscard]] std::size_t ports_in_use() const noexcept;
    [[nodiscard]] bool fifo() const noexcept { return control != xen::gfn{}; }
    std::uint64_t upcalls = 0;  ///< how often the domain was told that something came

    // What the hypervisor keeps.
    std::vector<event_port> ports{1};  // port 0 is never given out
    xen::gfn control{};
    std::size_t control_offset = 0;
    std::vector<xen::gfn> array;
    std::array<std::uint32_t, EVTCHN_FIFO_MAX_QUEUES> tails{};
    fiber::instant timer = 0;
};

/// HYPERVISOR_event_channel_op.
long event_channel_op(hypervisor& host, domain& who, unsigned long operation, void* argument);

/// HYPERVISOR_set_timer_op: VIRQ_TIMER at `deadline`, or never for 0.
long set_timer(hypervisor& host, domain& who, fiber::instant deadline);

/// Signals a port as Xen would: also one that nobody has sent to, for a spurious signal.
void raise(hypervisor& host, domain& to, xen::port local);

/// Raises a virtual interrupt; false when the domain has not bound it.
bool raise_virq(hypervisor& host, domain& to, std::uint32_t virq);

/// The domain is going: its ports close, and the other ends find them unbound.
void close_events(hypervisor& host, domain& who);

}  // namespace halvm::sim
