// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/net/arp.hpp>

#include <halvm/net/stack.hpp>

namespace halvm::net {

arp_layer::arp_layer(stack& own) : stack_{own} {
    for (announcer& one : announcers_)
        one.arp = this;
}

arp_layer::~arp_layer() {
    for (announcer& one : announcers_)
        stack_.alarms().cancel(one);
}

void arp_layer::send(interface& via, const wire::arp_packet& what, const mac_address& to) {
    if (via.is_loopback())
        return;
    auto made = via.allocate(wire::arp_packet::size());
    if (!made) {
        ++stack_.counters().ip.no_memory;
        return;
    }
    what.write(made->front());
    via.send(std::move(*made), to, wire::ethertype::arp);
}

void arp_layer::solicit(interface& via, const ip_address& target, const std::optional<mac_address>& known) {
    const auto own = via.source_for(target);
    ++stack_.counters().neighbours.requests_sent;
    send(via, wire::arp_packet::request(via.info().mac, own ? own->v4() : ipv4_address{}, target.v4()),
         known.value_or(mac_address::broadcast()));
}

void arp_layer::receive(const frame_origin& from, packet payload) {
    neighbour_statistics& counted = stack_.counters().neighbours;
    ++counted.received;
    const auto front = payload.linearize(std::min(payload.size(), wire::arp_packet::size()));
    const auto said = front ? wire::arp_view::parse(*front) : failure(front.error());
    if (!said) {
        ++counted.bad_packet;
        return;
    }
    interface& in = from.in;
    if (conflicts(in, *said))
        return;
    const ipv4_address sender = said->sender(), target = said->target();
    const bool for_us = in.has(target);
    // A probe tells nothing about who sends it, and no host can have what is no host's. [rfc5227 2.1.1]
    const bool is_answer = said->operation() == wire::arp_operation::reply;
    if (sender.is_unicast() && !sender.is_loopback() && !in.is_broadcast(sender)) {
        // Only hosts of this link can be neighbours.
        bool on_link = false;
        for (const interface_address& one : in.addresses())
            on_link = on_link || one.network().contains(sender);
        if (!stack_.neighbours().learn(in, sender, said->sender_mac(), for_us && on_link && !is_answer, is_answer) &&
            is_answer)
            ++counted.not_asked_for;
    }
    if (for_us && said->operation() == wire::arp_operation::request) {
        ++counted.replies_sent;
        send(in, wire::arp_packet::reply_to(*said, in.info().mac, target), said->sender_mac());
    }
}

/// Somebody says that an address is his which is ours, or which is being tried.
bool arp_layer::conflicts(interface& in, const wire::arp_view& said) {
    if (said.sender_mac() == in.info().mac)
        return true;  // our own, come back
    for (trial* one = trials_; one != nullptr; one = one->next) {
        const bool probes_too = said.sender().is_unspecified() && said.target() == one->address &&
                                said.operation() == wire::arp_operation::request;
        if (&one->via == &in && (said.sender() == one->address || probes_too)) {
            one->taken = true;
            fiber::this_scheduler().signal_all(one->waiting);
        }
    }
    if (!in.has(said.sender()))
        return false;
    ++stack_.counters().neighbours.conflicts;
    // Defended, but not so often that two hosts shout at each other. [rfc5227 2.4 (c)]
    const fiber::instant now = alarm_clock::now();
    if (defended_ == 0 || now >= defended_) {
        defended_ = fiber::instant_after(stack_.limits().defend_interval);
        send(in, wire::arp_packet::announcement(in.info().mac, said.sender()), mac_address::broadcast());
    }
    return true;
}

result<void> arp_layer::probe(interface& via, ipv4_address address, const arp_probing& how,
                              const fiber::wait_limit& limit) {
    trial own{.via = via, .address = address, .next = trials_};
    trials_ = &own;
    const auto between = [&](std::chrono::milliseconds least, std::chrono::milliseconds most) {
        const auto more = static_cast<std::uint32_t>(std::max<std::int64_t>(0, (most - least).count()));
        return least + std::chrono::milliseconds{stack_.random().below(more + 1)};
    };
    fiber::wake end = fiber::wake::timed_out;
    const auto wait = [&](std::chrono::milliseconds time) {
        const fiber::instant until = fiber::instant_after(time);
        if (limit.deadline < until) {
            end = fiber::this_scheduler().wait(own.waiting, limit);
            return false;
        }
        fiber::wait_limit here = limit;
        here.deadline = until;
        end = fiber::this_scheduler().wait(own.waiting, here);
        return end == fiber::wake::timed_out;
    };
    bool done = wait(between({}, how.wait));
    for (unsigned left = how.probes; done && left != 0; --left) {
        send(via, wire::arp_packet::probe(via.info().mac, address), mac_address::broadcast());
        done = wait(left != 1 ? between(how.least, how.most) : how.most);
    }
    for (trial** at = &trials_; *at != nullptr; at = &(*at)->next)
        if (*at == &own) {
            *at = own.next;
            break;
        }
    if (own.taken)
        return network_failure(std::errc::address_in_use, "try an address");
    if (!done)
        return fiber::detail::gave_up(end, "try an address");
    return {};
}

void arp_layer::announce(interface& via, ipv4_address address) {
    if (stack_.limits().announcements == 0)
        return;
    send(via, wire::arp_packet::announcement(via.info().mac, address), mac_address::broadcast());
    for (announcer& one : announcers_) {
        if (one.pending() && !(one.via == &via && one.address == address))
            continue;
        one.via = &via;
        one.address = address;
        one.left = stack_.limits().announcements - 1;
        if (one.left != 0)
            stack_.alarms().set_in(one, stack_.limits().announcement_interval);
        return;
    }
}

void arp_layer::announce_again(announcer& one) noexcept {
    if (!one.via->has(one.address))
        return;
    send(*one.via, wire::arp_packet::announcement(one.via->info().mac, one.address), mac_address::broadcast());
    if (--one.left != 0)
        stack_.alarms().set_in(one, stack_.limits().announcement_interval);
}

}  // namespace halvm::net
