// SPDX-License-Identifier: BSD-3-Clause
#include "core/events.hpp"

#include "core/hypercall.hpp"
#include "core/late.hpp"
#include "core/panic.hpp"
#include "core/time.hpp"

#include <algorithm>
#include <new>

namespace halvm::core {
namespace {

constinit xen::guest below;
// Neither constructor nor destructor is run by the program: events are there before and after it.
alignas(xen::event_channels) constinit std::byte storage[sizeof(xen::event_channels)]{};
constinit late<xen::event_listener> timer;

}  // namespace

void events_start() noexcept { new (storage) xen::event_channels{below}; }

xen::event_channels& events() noexcept { return *std::launder(reinterpret_cast<xen::event_channels*>(storage)); }

// No wake-up is lost: the scheduler polls, finds nobody to run and comes here; what arrives in between sets
// evtchn_upcall_pending again, and Xen refuses to block while that is set.
void events_block(std::uint64_t deadline) noexcept {
    if (deadline != no_deadline) {
        timer.get([] { return xen::event_listener{events(), bind_virq(xen::virq::timer)}; }).listen();
        const auto now = monotonic_ns();
        if (now >= deadline)
            return;
        // Xen takes a timer set for later than 2^50 ns (13 days) from now for a mistake.
        xen::hypercall::set_timer(std::min(deadline, now + (std::uint64_t{1} << 49)));
    }
    halvm_hypercall_block();
}

xen::port bind_virq(xen::virq which) noexcept {
    evtchn_bind_virq_t request{static_cast<std::uint32_t>(which), 0, 0};
    if (const long status = xen::hypercall::event_channel_op(EVTCHNOP_bind_virq, &request); status != 0)
        panic("bind virtual interrupt %u: Xen answered %ld", request.virq, status);
    return xen::port{request.port};
}

}  // namespace halvm::core
