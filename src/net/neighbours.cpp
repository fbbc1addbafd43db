// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/net/neighbours.hpp>

#include <halvm/net/stack.hpp>

namespace halvm::net {

neighbour_cache::neighbour_cache(stack& own, const stack_limits& limits)
    : stack_{own}, limits_{limits}, table_{limits.neighbours}, waiting_{limits.neighbour_queue_all} {}

neighbour_cache::~neighbour_cache() {
    table_.for_each([this](entry& one) { drop(one); });
}

result<void> neighbour_cache::send(interface& via, const ip_address& next_hop, wire::ethertype type, packet payload) {
    entry* one = table_.find({&via, next_hop});
    if (one == nullptr) {
        one = make(via, next_hop);
        one->state = neighbour_state::incomplete;
        one->probes = 0;
        ask(*one);
    }
    table_.touch(*one);
    switch (one->state) {
    case neighbour_state::absent:
        ++stack_.counters().neighbours.undelivered;
        return network_failure(std::errc::host_unreachable, "reach a neighbour");
    case neighbour_state::incomplete:
        one->type = type;
        keep(*one, std::move(payload));
        return {};
    case neighbour_state::stale:
        one->state = neighbour_state::asking;
        one->probes = 0;
        ask(*one);
        break;
    default: break;
    }
    via.send(std::move(payload), one->mac, type);
    return {};
}

void neighbour_cache::keep(entry& one, packet payload) noexcept {
    std::size_t count = 0;
    held_packet** end = &one.waiting;
    for (; *end != nullptr; end = &(*end)->next)
        ++count;
    if (count == limits_.neighbour_queue || waiting_.full()) {
        ++stack_.counters().neighbours.queue_full;
        if (count == 0)
            return;
        // At least the last one is kept. [rfc1122 2.3.2.2]
        waiting_.give_first(one.waiting);
        if (count == 1)
            end = &one.waiting;
    }
    *end = &waiting_.take(std::move(payload));
}

bool neighbour_cache::learn(interface& via, const ip_address& address, const mac_address& mac, bool may_add,
                            bool is_answer) {
    entry* one = table_.find({&via, address});
    if (one == nullptr) {
        if (!may_add)
            return false;
        // Not used by us so far, so it is the first to go when the table is full.
        one = make(via, address);
        one->state = neighbour_state::incomplete;
    }
    if (is_answer && one->state != neighbour_state::fresh)
        ++stack_.counters().neighbours.resolved;
    confirm(*one, mac);
    return true;
}

void neighbour_cache::confirm(entry& one, const mac_address& mac) {
    one.mac = mac;
    one.state = neighbour_state::fresh;
    one.probes = 0;
    stack_.alarms().set_in(one, limits_.neighbour_fresh);
    while (one.waiting != nullptr)
        one.via->send(waiting_.give_first(one.waiting), mac, one.type);
}

neighbour_cache::entry* neighbour_cache::make(interface& via, const ip_address& address) {
    if (table_.full()) {
        ++stack_.counters().neighbours.evicted;
        entry& old = table_.least_recent();
        drop(old);
        table_.erase(old);
    }
    entry& one = table_.insert({&via, address});
    one.cache = this;
    one.via = &via;
    one.mac = {};
    return &one;
}

void neighbour_cache::ask(entry& one) {
    ++one.probes;
    // Who is known already is asked alone, so that others need not listen. [rfc1122 2.3.2.1]
    const bool alone = one.state == neighbour_state::asking;
    solicitors_[static_cast<std::size_t>(one.key.address.family())]->solicit(
        *one.via, one.key.address, alone ? std::optional{one.mac} : std::nullopt);
    stack_.alarms().set_in(one, limits_.neighbour_interval);
}

void neighbour_cache::ring(entry& one) noexcept {
    switch (one.state) {
    case neighbour_state::incomplete:
    case neighbour_state::asking:
        if (one.probes < limits_.neighbour_probes)
            ask(one);
        else
            give_up(one);
        return;
    case neighbour_state::fresh: one.state = neighbour_state::stale; return;
    case neighbour_state::absent: drop(one); return table_.erase(one);
    case neighbour_state::stale: return;
    }
}

void neighbour_cache::give_up(entry& one) {
    neighbour_statistics& counted = stack_.counters().neighbours;
    ++counted.absent;
    one.state = neighbour_state::absent;
    stack_.alarms().set_in(one, limits_.neighbour_absent);
    // Whoever is told may send again, to the same neighbour.
    for (held_packet* lost = std::exchange(one.waiting, nullptr); lost != nullptr;) {
        ++counted.undelivered;
        stack_.undeliverable(one.key.address.family(), waiting_.give_first(lost));
    }
}

void neighbour_cache::drop(entry& one) noexcept {
    stack_.alarms().cancel(one);
    waiting_.give_all(one.waiting);
}

void neighbour_cache::forget(const interface& via) {
    table_.for_each([&](entry& one) {
        if (one.via == &via && one.state != neighbour_state::incomplete) {
            drop(one);
            table_.erase(one);
        }
    });
}

std::vector<neighbour> neighbour_cache::all() {
    std::vector<neighbour> list;
    table_.for_each([&](entry& one) { list.push_back({one.key.address, one.via, one.mac, one.state}); });
    return list;
}

}  // namespace halvm::net
