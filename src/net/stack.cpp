// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/net/stack.hpp>

#include <algorithm>

namespace halvm::net {

stack::stack(const stack_options& options)
    : limits_{options.limits},
      random_{options.random != nullptr ? *options.random : system_random()},
      routes_{limits_.routes},
      neighbours_{*this, limits_},
      ipv4_{*this},
      arp_{*this},
      icmpv4_{*this} {
    interfaces_.reserve(limits_.interfaces + 1);
    interfaces_.push_back(std::unique_ptr<interface>{new interface{*this, 0, nullptr}});
    loopback().addresses_.emplace_back(ipv4_address::loopback(), 8);
    attach(ip_family::v4, ipv4_);
    attach(wire::ethertype::ipv4, ipv4_);
    attach(wire::ethertype::arp, arp_);
    attach(ip_protocol::icmp, icmpv4_);
    neighbours_.attach(ip_family::v4, arp_);
    looped_.reserve(limits_.loopback_queue);
    looping_.reserve(limits_.loopback_queue);
    fiber_ = fiber::spawn([this](std::stop_token stop) { run(stop); }, {.name = "network", .service = true});
}

stack::~stack() {
    // First whoever could call a service, then the services, the last one first.
    for (auto& one : interfaces_)
        one->stop();
    fiber_ = {};
    while (!services_.empty())
        services_.pop_back();
    looped_.clear();
}

interface& stack::add_port(std::unique_ptr<nic_port> port) {
    Expects(interfaces_.size() <= limits_.interfaces);
    const auto number = static_cast<std::uint16_t>(interfaces_.size());
    interfaces_.push_back(std::unique_ptr<interface>{new interface{*this, number, std::move(port)}});
    interfaces_.back()->start();
    changed();
    return *interfaces_.back();
}

result<void> stack::configure(std::string_view address, const std::optional<ip_address>& gateway, bool probes,
                              const fiber::wait_limit& limit) {
    const auto parsed = interface_address::parse(address);
    if (!parsed)
        return failure(parsed.error());
    interface* const to = first_nic();
    if (to == nullptr)
        return network_failure(std::errc::no_such_device, "configure a stack");
    if (gateway && !parsed->network().contains(*gateway))
        return network_failure(std::errc::network_unreachable, "reach the gateway");
    if (auto added = add_address(*to, *parsed, probes, limit); !added || !gateway)
        return added;
    return add_route({.destination = ip_prefix{gateway->is_v4() ? ip_address{} : ip_address{ipv6_address{}}, 0},
                      .via = to,
                      .gateway = *gateway});
}

result<void> stack::add_address(interface& to, const interface_address& address, bool probes,
                                const fiber::wait_limit& limit) {
    constexpr const char* attempted = "give an interface an address";
    const ip_address& own = address.address();
    const auto last = address.network().broadcast();
    if (!own.is_unicast() || own.is_loopback() || (last && (*last == own.v4() || address.network().address() == own)))
        return network_failure(std::errc::address_not_available, attempted);
    if (layers_[static_cast<std::size_t>(own.family())] == nullptr)
        return network_failure(std::errc::address_family_not_supported, attempted);
    if (is_ours(own))
        return network_failure(std::errc::address_in_use, attempted);
    if (to.addresses_.size() == limits_.addresses)
        return network_failure(std::errc::no_buffer_space, attempted);
    if (probes && own.is_v4() && !to.is_loopback()) {
        const arp_probing how{limits_.address_probes, limits_.address_probe_wait, limits_.address_probe_least,
                              limits_.address_probe_most};
        if (auto free = arp_.probe(to, own.v4(), how, limit); !free)
            return free;
    }
    if (auto added = routes_.add({address.network(), &to, {}, 0, route_origin::address}); !added)
        return added;
    to.addresses_.push_back(address);
    changed();
    if (own.is_v4() && !to.is_loopback())
        arp_.announce(to, own.v4());
    return {};
}

bool stack::remove_address(interface& from, const ip_address& address) {
    const auto found = std::find_if(from.addresses_.begin(), from.addresses_.end(),
                                    [&](const interface_address& one) { return one.address() == address; });
    if (found == from.addresses_.end())
        return false;
    const ip_prefix network = found->network();
    from.addresses_.erase(found);
    const bool is_left = std::any_of(from.addresses_.begin(), from.addresses_.end(),
                                     [&](const interface_address& one) { return one.network() == network; });
    remove_routes([&](const route& one) {
        return one.via == &from && !is_left &&
               (one.is_direct() ? one.destination == network && one.origin == route_origin::address
                                : network.contains(one.gateway));
    });
    return true;
}

result<void> stack::add_route(const route& one) {
    Expects(one.via != nullptr);
    const auto& own = one.via->addresses();
    const bool reachable =
        one.is_direct() ||
        std::any_of(own.begin(), own.end(),
                    [&](const interface_address& each) { return each.network().contains(one.gateway); }) ||
        routes_.find(one.gateway, [&](const route& other) { return other.is_direct() && other.via == one.via; });
    if (!reachable || (!one.is_direct() && one.gateway.family() != one.destination.address().family()))
        return network_failure(std::errc::network_unreachable, "reach the gateway");
    changed();
    return routes_.add(one);
}

bool stack::is_ours(const ip_address& address) const noexcept {
    if (address.is_loopback())
        return true;
    return std::any_of(interfaces_.begin(), interfaces_.end(), [&](const auto& one) { return one->has(address); });
}

result<path> stack::find_path(const ip_address& destination, const ip_address& source, interface* via) {
    constexpr const char* attempted = "find a path";
    ip_layer* const layer = layers_[static_cast<std::size_t>(destination.family())];
    if (layer == nullptr)
        return network_failure(std::errc::address_family_not_supported, attempted);
    path found{.via = via, .source = source, .destination = destination, .next_hop = destination};
    const bool any_source = source.is_unspecified();
    if (!any_source && (source.family() != destination.family() || !is_ours(source)))
        return network_failure(std::errc::address_not_available, attempted);
    if (destination.is_unspecified())
        return network_failure(std::errc::network_unreachable, attempted);
    if (is_ours(destination)) {
        found.via = &loopback();
        found.mtu = loopback().mtu();
        if (any_source)
            found.source = destination;
        return found;
    }
    // What comes from 127.0.0.1 must not be seen on a wire. [rfc1122 3.2.1.3]
    if (!any_source && source.is_loopback())
        return network_failure(std::errc::address_not_available, attempted);
    const auto usable = [&](const route& one) {
        return (via == nullptr || one.via == via) && one.via->is_up() &&
               (any_source || one.via->has(source) || !one.is_direct());
    };
    const route* const best = routes_.find(destination, usable);
    if (destination.is_multicast() || destination.is_broadcast()) {
        found.cast = destination.is_multicast() ? ip_cast::multicast : ip_cast::broadcast;
        if (found.via == nullptr)
            found.via = best != nullptr ? best->via : first_nic();
    } else if (best == nullptr) {
        ++statistics_.ip.no_route;
        return network_failure(std::errc::network_unreachable, attempted);
    } else {
        found.via = best->via;
        if (!best->is_direct())
            found.next_hop = best->gateway;
        else if (found.via->is_broadcast(destination))
            found.cast = ip_cast::broadcast;
    }
    if (found.via == nullptr)
        return network_failure(std::errc::network_unreachable, attempted);
    if (!found.via->is_up())
        return network_failure(std::errc::network_down, attempted);
    if (any_source) {
        const auto own = found.via->source_for(found.next_hop);
        if (!own)
            return network_failure(std::errc::address_not_available, attempted);
        found.source = *own;
    }
    found.mtu = layer->path_mtu(destination, found.via->mtu());
    return found;
}

result<void> stack::send(const path& way, const ip_sending& how, packet payload) {
    return layers_[static_cast<std::size_t>(way.destination.family())]->send(way, how, std::move(payload));
}

void stack::attach(ip_protocol protocol, ip_protocol_handler& by) {
    Expects(handler_of(protocol) == nullptr);
    protocols_.emplace_back(protocol, &by);
}

ip_protocol_handler* stack::handler_of(ip_protocol protocol) const noexcept {
    for (const auto& [number, handler] : protocols_)
        if (number == protocol)
            return handler;
    return nullptr;
}

void stack::attach(wire::ethertype type, link_protocol_handler& by) { link_protocols_.emplace_back(type, &by); }

void stack::input(interface& in, packet frame) {
    const auto front = frame.size() < wire::ethernet_field::size ? result<const_bytes>{const_bytes{}}
                                                                 : frame.linearize(wire::ethernet_field::size);
    const auto header = front ? wire::ethernet_view::parse(*front) : failure(front.error());
    if (!header || !header->source().is_unicast()) {
        ++statistics_.link.bad_frame;
        return;
    }
    const mac_address to = header->destination();
    // Groups that nobody here is in are told apart by their IP address.
    if (to != in.info().mac && !to.is_multicast()) {
        ++statistics_.link.for_others;
        return;
    }
    for (const auto& [type, handler] : link_protocols_) {
        if (type != header->type())
            continue;
        const frame_origin from{in, header->source(), to.is_multicast()};
        frame.metadata().interface = in.number();
        frame.trim_front(wire::ethernet_field::size);
        handler->receive(from, std::move(frame));
        return;
    }
    ++statistics_.link.unknown_protocol;
}

void stack::end_batch() {
    for (const auto& [number, handler] : protocols_)
        handler->batch_ended();
}

void stack::make_room() {
    const batch together{*this};
    for (const auto& [number, handler] : protocols_)
        handler->room_made();
}

void stack::flush() {
    for (;;) {
        bool is_room = true;
        for (std::size_t i = 1; i < interfaces_.size(); ++i) {
            interfaces_[i]->flush();
            is_room = is_room && interfaces_[i]->waiting_frames() == 0;
        }
        // What a NIC has not taken it takes later, in another fiber.
        if (!is_room || !std::exchange(room_wanted_, false))
            break;
        ++batches_;
        for (const auto& [number, handler] : protocols_)
            handler->room_made();
        --batches_;
    }
    if (!looped_.empty())
        alarms_.wake();
}

void stack::loop(packet whole) {
    if (looped_.size() == limits_.loopback_queue) {
        ++statistics_.link.queue_full;
        return;
    }
    looped_.push_back(std::move(whole));
    const batch now{*this};
}

result<packet> stack::allocate_own(std::size_t size) {
    if (!own_memory_) {
        auto made = packet_pool::make({.large_count = limits_.loopback_memory, .small_count = limits_.loopback_memory});
        if (!made)
            return failure(made.error());
        own_memory_ = std::move(*made);
    }
    return own_memory_->allocate(size);
}

void stack::let_others_read() {
    // From the device's signal to the frames it is two fibers' turns.
    constexpr unsigned least_turns = 2, most_turns = 16;
    for (unsigned turn = 0; turn != most_turns; ++turn) {
        if (turn >= least_turns &&
            std::none_of(interfaces_.begin(), interfaces_.end(), [](const auto& one) { return one->may_have_more(); }))
            return;
        fiber::yield();
    }
}

void stack::run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        // After a time in which nobody could run, what is due may have been answered by what nobody has read yet.
        if (alarms_.is_due())
            let_others_read();
        {
            const batch together{*this};
            alarms_.ring();
            looping_.swap(looped_);
            for (packet& one : looping_) {
                // Each family's packets say in their first bits which it is.
                const bool is_v6 = static_cast<unsigned>(one.front()[0]) >> 4 == 6;
                if (ip_layer* const layer = layers_[is_v6 ? 1 : 0])
                    layer->receive_own(std::move(one));
            }
            looping_.clear();
            end_batch();
        }
        if (looped_.empty())
            alarms_.wait(stop);
        else
            fiber::yield();
    }
}

}  // namespace halvm::net
