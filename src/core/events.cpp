// SPDX-License-Identifier: BSD-3-Clause
#include "core/events.hpp"

#include "core/domain.hpp"
#include "core/panic.hpp"
#include "core/time.hpp"

#include <halvm/fiber/scheduler.hpp>

#include <boost/intrusive/list.hpp>

#include <algorithm>
#include <atomic>
#include <new>

namespace halvm::core {
namespace {

constexpr std::size_t bits = sizeof(xen_ulong_t) * 8;

// Shared: Xen sets pending bits from any CPU, so they are changed with locked instructions only.
std::atomic_ref<xen_ulong_t> pending_word(xen::port local) noexcept {
    return std::atomic_ref{halvm_shared_info.evtchn_pending[static_cast<std::size_t>(local) / bits]};
}
xen_ulong_t bit_of(xen::port local) noexcept { return xen_ulong_t{1} << static_cast<std::size_t>(local) % bits; }

/// A fiber that waits for a port; it lies on the fiber's stack.
struct port_wait {
    using link = boost::intrusive::list_member_hook<boost::intrusive::link_mode<boost::intrusive::normal_link>>;

    xen::port local;
    link hook{};
    fiber::wait_queue queue{"event channel", true};
};
using port_waits =
    boost::intrusive::list<port_wait, boost::intrusive::member_hook<port_wait, port_wait::link, &port_wait::hook>>;

/// Made on first use, which may be before the program's constructors run.
port_waits& waiting() noexcept {
    alignas(port_waits) static std::byte storage[sizeof(port_waits)];
    static port_waits* made = nullptr;
    if (made == nullptr)
        made = new (storage) port_waits;
    return *made;
}

/// Clears what Xen sets when it has an event for us; true when it was set. Pending bits that come later set it again.
bool take_upcall() noexcept {
    auto& vcpu = halvm_shared_info.vcpu_info[0];
    if (std::atomic_ref{vcpu.evtchn_upcall_pending}.load(std::memory_order_relaxed) == 0)
        return false;
    std::atomic_ref{vcpu.evtchn_upcall_pending}.store(0);
    std::atomic_ref{vcpu.evtchn_pending_sel}.exchange(0);
    return true;
}

/// Takes a signal of `local` that has come already.
bool event_take(xen::port local) noexcept {
    return (pending_word(local).fetch_and(~bit_of(local)) & bit_of(local)) != 0;
}

}  // namespace

void event_unmask(xen::port local) noexcept {
    std::atomic_ref{halvm_shared_info.evtchn_mask[static_cast<std::size_t>(local) / bits]}.fetch_and(~bit_of(local));
}

bool event_wait(xen::port local, std::uint64_t deadline) noexcept {
    if (event_take(local))
        return true;
    port_wait here{.local = local};
    waiting().push_back(here);
    const auto how = fiber::this_scheduler().wait(here.queue, fiber::wait_limit{deadline});
    waiting().erase(port_waits::s_iterator_to(here));
    return how == fiber::wake::signalled;
}

void events_poll() noexcept {
    if (!take_upcall())
        return;
    for (port_wait& one : waiting())
        if (!one.queue.empty() && event_take(one.local))
            fiber::this_scheduler().signal(one.queue);
}

// No wake-up is lost: the scheduler polls, finds nobody to run and comes here; what arrives in between sets
// evtchn_upcall_pending again, and Xen refuses to block while that is set.
void events_block(std::uint64_t deadline) noexcept {
    if (deadline != no_deadline) {
        event_take(bind_virq(VIRQ_TIMER));
        const auto now = monotonic_ns();
        if (now >= deadline)
            return;
        // Xen takes a timer set for later than 2^50 ns (13 days) from now for a mistake.
        xen::hypercall::set_timer(std::min(deadline, now + (std::uint64_t{1} << 49)));
    }
    halvm_hypercall_block();
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
