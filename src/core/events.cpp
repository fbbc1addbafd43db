// SPDX-License-Identifier: BSD-3-Clause
#include "core/events.hpp"

#include "core/hypercall.hpp"
#include "core/panic.hpp"
#include "core/time.hpp"

#include <algorithm>

namespace halvm::core {
namespace {

constinit xen::guest below;

}  // namespace

alignas(xen::event_channels) constinit std::byte event_storage[sizeof(xen::event_channels)]{};

void events_start() noexcept { new (event_storage) xen::event_channels{below}; }

// No wake-up is lost: the scheduler polls, finds nobody to run and comes here; what arrives in between sets
// evtchn_upcall_pending again, and Xen refuses to block while that is set.
void events_block(std::uint64_t deadline) noexcept {
    if (deadline != no_deadline) {
        events().listen(timer_port());
        const auto now = monotonic_ns();
        if (now >= deadline)
            return;
        // Xen takes a timer set for later than 2^50 ns (13 days) from now for a mistake.
        xen::hypercall::set_timer(std::min(deadline, now + (std::uint64_t{1} << 49)));
    }
    halvm_hypercall_block();
}

xen::port timer_port() noexcept {
    static xen::port bound{};
    if (bound == xen::port{})
        bound = bind_virq(xen::virq::timer);
    return bound;
}

xen::port bind_virq(xen::virq which) noexcept {
    evtchn_bind_virq_t request{static_cast<std::uint32_t>(which), 0, 0};
    if (const long status = xen::hypercall::event_channel_op(EVTCHNOP_bind_virq, &request); status != 0)
        panic("bind virtual interrupt %u: Xen answered %ld", request.virq, status);
    return xen::port{request.port};
}

}  // namespace halvm::core
