// SPDX-License-Identifier: BSD-3-Clause
#include "core/events.hpp"

#include "core/domain.hpp"
#include "core/panic.hpp"
#include "core/time.hpp"

#include <algorithm>
#include <atomic>

namespace halvm::core {
namespace {

constexpr std::size_t bits = sizeof(xen_ulong_t) * 8;

// Shared: Xen sets pending bits from any CPU, so they are changed with locked instructions only.
std::atomic_ref<xen_ulong_t> pending_word(xen::port local) noexcept {
    return std::atomic_ref{halvm_shared_info.evtchn_pending[static_cast<std::size_t>(local) / bits]};
}
xen_ulong_t bit_of(xen::port local) noexcept { return xen_ulong_t{1} << static_cast<std::size_t>(local) % bits; }

/// Arms the timer for `deadline` and lets other domains run until any event comes.
///
/// No wake-up is lost: evtchn_upcall_pending is cleared first, the caller's port is looked at second, and Xen
/// refuses to block when the flag has been set again in between.
void block_until(xen::port local, std::uint64_t deadline) noexcept {
    auto& vcpu = halvm_shared_info.vcpu_info[0];
    std::atomic_ref{vcpu.evtchn_upcall_pending}.store(0);
    std::atomic_ref{vcpu.evtchn_pending_sel}.exchange(0);
    if ((pending_word(local).load() & bit_of(local)) != 0)
        return;
    if (deadline != no_deadline) {
        const auto timer = bind_virq(VIRQ_TIMER);
        event_take(timer);
        const auto now = monotonic_ns();
        if (now >= deadline)
            return;
        // Xen takes a timer set for later than 2^50 ns (13 days) from now for a mistake.
        xen::hypercall::set_timer(std::min(deadline, now + (std::uint64_t{1} << 49)));
    }
    halvm_hypercall_block();
}

}  // namespace

void event_unmask(xen::port local) noexcept {
    std::atomic_ref{halvm_shared_info.evtchn_mask[static_cast<std::size_t>(local) / bits]}.fetch_and(~bit_of(local));
}

bool event_take(xen::port local) noexcept {
    return (pending_word(local).fetch_and(~bit_of(local)) & bit_of(local)) != 0;
}

bool event_wait(xen::port local, std::uint64_t deadline) noexcept {
    for (;;) {
        if (event_take(local))
            return true;
        if (deadline != no_deadline && monotonic_ns() >= deadline)
            return false;
        block_until(local, deadline);
    }
}

xen::port bind_virq(std::uint32_t virq) noexcept {
    static xen::port ports[NR_VIRQS];  // port 0 is never given out
    if (ports[virq] == xen::port{}) {
        evtchn_bind_virq_t request{virq, 0, 0};
        if (const long status = xen::hypercall::event_channel_op(EVTCHNOP_bind_virq, &request); status != 0)
            panic("bind virtual interrupt %u: Xen answered %ld", virq, status);
        ports[virq] = xen::port{request.port};
        event_unmask(ports[virq]);
    }
    return ports[virq];
}

}  // namespace halvm::core
