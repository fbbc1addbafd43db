// SPDX-License-Identifier: BSD-3-Clause
#include "events.hpp"

#include "hypervisor.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace halvm::sim {
namespace {

using xen::port;
using xen::raw;

constexpr std::uint32_t words_in_page = page_size / sizeof(event_word_t);
constexpr event_word_t pending_bit = 1u << EVTCHN_FIFO_PENDING;
constexpr event_word_t masked_bit = 1u << EVTCHN_FIFO_MASKED;
constexpr event_word_t linked_bit = 1u << EVTCHN_FIFO_LINKED;

/// The domain is told that there is something to look for.
void upcall(domain& who) {
    ++who.events.upcalls;
    who.shared_info().vcpu_info[0].evtchn_upcall_pending = 1;
}

event_word_t* word_of(hypervisor& host, domain& who, std::uint32_t number) {
    const auto& array = who.events.array;
    if (number / words_in_page >= array.size())
        return nullptr;
    return reinterpret_cast<event_word_t*>(host.frames.at(array[number / words_in_page])) + number % words_in_page;
}

evtchn_fifo_control_block& control_of(hypervisor& host, domain& who) {
    return *reinterpret_cast<evtchn_fifo_control_block*>(host.frames.at(who.events.control) +
                                                         who.events.control_offset);
}

void link(hypervisor& host, domain& who, std::uint32_t number, event_word_t& word) {
    if ((word & (masked_bit | linked_bit)) != 0)
        return;
    word |= linked_bit;
    const auto queue = who.events.ports[number].priority;
    auto& tail = who.events.tails[queue];
    auto& control = control_of(host, who);
    event_word_t* const last = tail == 0 || tail == number ? nullptr : word_of(host, who, tail);
    const bool behind = last != nullptr && (*last & linked_bit) != 0;
    if (behind)
        *last = (*last & ~static_cast<event_word_t>(EVTCHN_FIFO_LINK_MASK)) | number;
    else
        control.head[queue] = number;
    tail = number;
    if (!behind && (control.ready & 1u << queue) == 0) {
        control.ready |= 1u << queue;
        upcall(who);
    }
}

void set_pending_fifo(hypervisor& host, domain& who, std::uint32_t number) {
    event_word_t* const word = word_of(host, who, number);
    if (word == nullptr) {
        who.events.ports[number].pending = true;
        return;
    }
    *word |= pending_bit;
    link(host, who, number, *word);
}

constexpr std::uint32_t bits = sizeof(xen_ulong_t) * 8;
xen_ulong_t bit_of(std::uint32_t number) { return xen_ulong_t{1} << number % bits; }

void select_word(domain& who, std::uint32_t number) {
    auto& selected = who.shared_info().vcpu_info[0].evtchn_pending_sel;
    if ((selected & bit_of(number / bits)) == 0) {
        selected |= bit_of(number / bits);
        upcall(who);
    }
}

void set_pending_bitmap(domain& who, std::uint32_t number) {
    auto& shared = who.shared_info();
    if ((shared.evtchn_pending[number / bits] & bit_of(number)) != 0)
        return;
    shared.evtchn_pending[number / bits] |= bit_of(number);
    if ((shared.evtchn_mask[number / bits] & bit_of(number)) == 0)
        select_word(who, number);
}

void set_pending(hypervisor& host, domain& who, std::uint32_t number) {
    if (who.events.fifo())
        set_pending_fifo(host, who, number);
    else
        set_pending_bitmap(who, number);
}

void clear_pending(hypervisor& host, domain& who, std::uint32_t number) {
    if (!who.events.fifo())
        who.shared_info().evtchn_pending[number / bits] &= ~bit_of(number);
    else if (event_word_t* const word = word_of(host, who, number); word != nullptr)
        *word &= ~pending_bit;
    who.events.ports[number].pending = false;
}

event_port* find_port(domain& who, std::uint32_t number) {
    auto& ports = who.events.ports;
    return number < ports.size() ? &ports[number] : nullptr;
}

/// The lowest that is free, 0 when there is none.
std::uint32_t free_port(domain& who) {
    auto& ports = who.events.ports;
    for (std::uint32_t number = 1;; ++number) {
        const std::uint32_t abi = who.events.fifo() ? EVTCHN_FIFO_NR_CHANNELS : EVTCHN_2L_NR_CHANNELS;
        if (number >= std::min(who.events.most, abi))
            return 0;
        if (number == ports.size())
            ports.emplace_back();
        if (ports[number].state == EVTCHNSTAT_closed)
            return number;
    }
}

domid resolve(const domain& who, domid_t id) { return id == DOMID_SELF ? who.id() : domid{id}; }

long close_port(hypervisor& host, domain& who, std::uint32_t number) {
    event_port* const one = find_port(who, number);
    if (one == nullptr || one->state == EVTCHNSTAT_closed)
        return -XEN_EINVAL;
    if (one->state == EVTCHNSTAT_interdomain)
        if (domain* const peer = host.find(one->remote); peer != nullptr) {
            event_port& other = peer->events.ports[one->remote_port];
            other.state = EVTCHNSTAT_unbound;
            other.remote = who.id();
        }
    clear_pending(host, who, number);
    *one = event_port{};
    return 0;
}

long answer(evtchn_alloc_unbound_t& request, hypervisor& host, domain& who) {
    domain* const owner = host.find(resolve(who, request.dom));
    if (owner == nullptr)
        return -XEN_ESRCH;
    if (owner != &who && !who.privileged())
        return -XEN_EPERM;
    const auto number = free_port(*owner);
    if (number == 0)
        return -XEN_ENOSPC;
    owner->events.ports[number] = {.state = EVTCHNSTAT_unbound, .remote = resolve(who, request.remote_dom)};
    request.port = number;
    return 0;
}

long answer(evtchn_bind_interdomain_t& request, hypervisor& host, domain& who) {
    domain* const peer = host.find(resolve(who, request.remote_dom));
    if (peer == nullptr)
        return -XEN_ESRCH;
    const auto number = free_port(who);
    if (number == 0)
        return -XEN_ENOSPC;
    event_port* const theirs = find_port(*peer, request.remote_port);
    if (theirs == nullptr || theirs->state != EVTCHNSTAT_unbound || theirs->remote != who.id())
        return -XEN_EINVAL;
    *theirs = {.state = EVTCHNSTAT_interdomain, .remote = who.id(), .remote_port = number};
    who.events.ports[number] = {
        .state = EVTCHNSTAT_interdomain, .remote = peer->id(), .remote_port = request.remote_port};
    // What the peer has sent before is not known.
    set_pending(host, who, number);
    request.local_port = number;
    return 0;
}

bool bound(const domain& who, std::uint32_t state, std::uint32_t interrupt) {
    return std::any_of(who.events.ports.begin(), who.events.ports.end(),
                       [&](const event_port& one) { return one.state == state && one.interrupt == interrupt; });
}

long bind_interrupt(domain& who, std::uint32_t state, std::uint32_t interrupt, evtchn_port_t& into) {
    if (bound(who, state, interrupt))
        return -XEN_EEXIST;
    const auto number = free_port(who);
    if (number == 0)
        return -XEN_ENOSPC;
    who.events.ports[number] = {.state = state, .interrupt = interrupt};
    into = number;
    return 0;
}

long answer(evtchn_bind_virq_t& request, hypervisor&, domain& who) {
    if (request.virq >= NR_VIRQS)
        return -XEN_EINVAL;
    return request.vcpu != 0 ? -XEN_ENOENT : bind_interrupt(who, EVTCHNSTAT_virq, request.virq, request.port);
}

long answer(evtchn_bind_pirq_t& request, hypervisor&, domain& who) {
    if (request.pirq >= 256)
        return -XEN_EINVAL;
    return who.privileged() ? bind_interrupt(who, EVTCHNSTAT_pirq, request.pirq, request.port) : -XEN_EPERM;
}

long answer(evtchn_bind_ipi_t& request, hypervisor&, domain& who) {
    if (request.vcpu != 0)
        return -XEN_ENOENT;
    const auto number = free_port(who);
    if (number == 0)
        return -XEN_ENOSPC;
    who.events.ports[number] = {.state = EVTCHNSTAT_ipi};
    request.port = number;
    return 0;
}

long answer(evtchn_close_t& request, hypervisor& host, domain& who) { return close_port(host, who, request.port); }

long answer(evtchn_send_t& request, hypervisor& host, domain& who) {
    const event_port* const one = find_port(who, request.port);
    if (one == nullptr)
        return -XEN_EINVAL;
    switch (one->state) {
    case EVTCHNSTAT_interdomain:
        if (domain* const peer = host.find(one->remote); peer != nullptr)
            raise(host, *peer, port{one->remote_port});
        return 0;
    case EVTCHNSTAT_ipi: raise(host, who, port{request.port}); return 0;
    case EVTCHNSTAT_unbound: return 0;
    default: return -XEN_EINVAL;
    }
}

long answer(evtchn_status_t& request, hypervisor& host, domain& who) {
    domain* const owner = host.find(resolve(who, request.dom));
    if (owner == nullptr)
        return -XEN_ESRCH;
    if (owner != &who && !who.privileged())
        return -XEN_EPERM;
    const event_port* const one = find_port(*owner, request.port);
    if (one == nullptr)
        return -XEN_EINVAL;
    request.status = one->state;
    request.vcpu = 0;
    switch (one->state) {
    case EVTCHNSTAT_unbound: request.u.unbound.dom = raw(one->remote); break;
    case EVTCHNSTAT_interdomain:
        request.u.interdomain.dom = raw(one->remote);
        request.u.interdomain.port = one->remote_port;
        break;
    case EVTCHNSTAT_pirq: request.u.pirq = one->interrupt; break;
    case EVTCHNSTAT_virq: request.u.virq = one->interrupt; break;
    default: break;
    }
    return 0;
}

long answer(evtchn_bind_vcpu_t& request, hypervisor&, domain& who) {
    if (request.vcpu != 0)
        return -XEN_ENOENT;
    const event_port* const one = find_port(who, request.port);
    return one == nullptr || one->state == EVTCHNSTAT_closed || one->state == EVTCHNSTAT_ipi ? -XEN_EINVAL : 0;
}

long answer(evtchn_unmask_t& request, hypervisor& host, domain& who) {
    if (find_port(who, request.port) == nullptr)
        return -XEN_EINVAL;
    if (who.events.fifo()) {
        if (event_word_t* const word = word_of(host, who, request.port); word != nullptr) {
            *word &= ~masked_bit;
            if ((*word & pending_bit) != 0)
                link(host, who, request.port, *word);
        }
        return 0;
    }
    auto& shared = who.shared_info();
    auto& mask = shared.evtchn_mask[request.port / bits];
    const bool was_masked = (mask & bit_of(request.port)) != 0;
    mask &= ~bit_of(request.port);
    if (was_masked && (shared.evtchn_pending[request.port / bits] & bit_of(request.port)) != 0)
        select_word(who, request.port);
    return 0;
}

long answer(evtchn_reset_t& request, hypervisor& host, domain& who) {
    domain* const owner = host.find(resolve(who, request.dom));
    if (owner == nullptr)
        return -XEN_ESRCH;
    if (owner != &who && !who.privileged())
        return -XEN_EPERM;
    close_events(host, *owner);
    owner->events.control = xen::gfn{};
    owner->events.array.clear();
    owner->events.tails = {};
    return 0;
}

long answer(evtchn_init_control_t& request, hypervisor& host, domain& who) {
    if (!who.events.fifo_offered)
        return -XEN_ENOSYS;
    if (request.vcpu != 0)
        return -XEN_ENOENT;
    if (request.offset > page_size - sizeof(evtchn_fifo_control_block) || request.offset % 8 != 0 ||
        who.events.fifo() || !host.frames.valid(xen::gfn{request.control_gfn}))
        return -XEN_EINVAL;
    for (std::uint32_t number = 1; number < who.events.ports.size(); ++number)
        who.events.ports[number].pending = (who.shared_info().evtchn_pending[number / bits] & bit_of(number)) != 0;
    who.events.control = xen::gfn{request.control_gfn};
    who.events.control_offset = request.offset;
    control_of(host, who) = {};
    request.link_bits = EVTCHN_FIFO_LINK_BITS;
    return 0;
}

long answer(evtchn_expand_array_t& request, hypervisor& host, domain& who) {
    auto& array = who.events.array;
    if (!who.events.fifo())
        return -XEN_EOPNOTSUPP;
    if (array.size() == EVTCHN_FIFO_NR_CHANNELS / words_in_page)
        return -XEN_ENOSPC;
    if (!host.frames.valid(xen::gfn{request.array_gfn}))
        return -XEN_EINVAL;
    const auto first = static_cast<std::uint32_t>(array.size()) * words_in_page;
    array.push_back(xen::gfn{request.array_gfn});
    for (std::uint32_t number = first; number < first + words_in_page && number < who.events.ports.size(); ++number)
        if (std::exchange(who.events.ports[number].pending, false))
            set_pending_fifo(host, who, number);
    return 0;
}

long answer(evtchn_set_priority_t& request, hypervisor&, domain& who) {
    if (!who.events.fifo())
        return -XEN_ENOSYS;
    event_port* const one = find_port(who, request.port);
    if (one == nullptr || request.priority > EVTCHN_FIFO_PRIORITY_MIN)
        return -XEN_EINVAL;
    one->priority = request.priority;
    return 0;
}

/// Copied in and out, as Xen does, however the caller has aligned it.
template <class Request>
long copied(hypervisor& host, domain& who, void* argument) {
    Request request;
    std::memcpy(&request, argument, sizeof request);
    const long status = answer(request, host, who);
    if (status == 0)
        std::memcpy(argument, &request, sizeof request);
    return status;
}

}  // namespace

std::size_t event_state::ports_in_use() const noexcept {
    return static_cast<std::size_t>(std::count_if(
        ports.begin(), ports.end(), [](const event_port& one) { return one.state != EVTCHNSTAT_closed; }));
}

long event_channel_op(hypervisor& host, domain& who, unsigned long operation, void* argument) {
    switch (operation) {
    case EVTCHNOP_alloc_unbound: return copied<evtchn_alloc_unbound_t>(host, who, argument);
    case EVTCHNOP_bind_interdomain: return copied<evtchn_bind_interdomain_t>(host, who, argument);
    case EVTCHNOP_bind_virq: return copied<evtchn_bind_virq_t>(host, who, argument);
    case EVTCHNOP_bind_pirq: return copied<evtchn_bind_pirq_t>(host, who, argument);
    case EVTCHNOP_bind_ipi: return copied<evtchn_bind_ipi_t>(host, who, argument);
    case EVTCHNOP_close: return copied<evtchn_close_t>(host, who, argument);
    case EVTCHNOP_send: return copied<evtchn_send_t>(host, who, argument);
    case EVTCHNOP_status: return copied<evtchn_status_t>(host, who, argument);
    case EVTCHNOP_bind_vcpu: return copied<evtchn_bind_vcpu_t>(host, who, argument);
    case EVTCHNOP_unmask: return copied<evtchn_unmask_t>(host, who, argument);
    case EVTCHNOP_reset: return copied<evtchn_reset_t>(host, who, argument);
    case EVTCHNOP_init_control: return copied<evtchn_init_control_t>(host, who, argument);
    case EVTCHNOP_expand_array: return copied<evtchn_expand_array_t>(host, who, argument);
    case EVTCHNOP_set_priority: return copied<evtchn_set_priority_t>(host, who, argument);
    default: return -XEN_ENOSYS;
    }
}

long set_timer(hypervisor& host, domain& who, instant deadline) {
    who.events.timer = deadline;
    if (deadline != 0)
        host.at(std::max(deadline, host.now()), [&host, &who, deadline] {
            if (!who.gone && who.events.timer == deadline) {
                who.events.timer = 0;
                raise_virq(host, who, VIRQ_TIMER);
            }
        });
    return 0;
}

void raise(hypervisor& host, domain& to, port local) {
    if (const auto lost = to.events.lose.find(local); lost != to.events.lose.end() && lost->second != 0) {
        --lost->second;
        return;
    }
    set_pending(host, to, raw(local));
}

bool raise_virq(hypervisor& host, domain& to, std::uint32_t virq) {
    for (std::uint32_t number = 1; number < to.events.ports.size(); ++number)
        if (to.events.ports[number].state == EVTCHNSTAT_virq && to.events.ports[number].interrupt == virq) {
            raise(host, to, port{number});
            return true;
        }
    return false;
}

void close_events(hypervisor& host, domain& who) {
    for (std::uint32_t number = 1; number < who.events.ports.size(); ++number)
        close_port(host, who, number);
}

}  // namespace halvm::sim
