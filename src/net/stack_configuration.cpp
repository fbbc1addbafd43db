// SPDX-License-Identifier: BSD-3-Clause
// What makes a stack what it is; stack.cpp has what it does with packets.
#include <halvm/net/stack.hpp>

namespace halvm::net {

stack::stack(const stack_options& options)
    : limits_{options.limits},
      random_{options.random != nullptr ? *options.random : system_random()},
      interfaces_{limits_.interfaces + 1},
      routes_{limits_.routes},
      neighbours_{*this, limits_},
      ipv4_{*this},
      arp_{*this},
      icmpv4_{*this},
      looped_{limits_.loopback_queue},
      looping_{limits_.loopback_queue} {
    interfaces_.push_back(std::unique_ptr<interface>{new interface{*this, 0, nullptr}});
    loopback().addresses_.push_back({ipv4_address::loopback(), 8});
    attach(ip_family::v4, ipv4_);
    attach(wire::ethertype::ipv4, ipv4_);
    attach(wire::ethertype::arp, arp_);
    attach(ip_protocol::icmp, icmpv4_);
    neighbours_.attach(ip_family::v4, arp_);
    fiber_ = spawn(
        "network", [](void* of, const std::stop_token& stop) { static_cast<stack*>(of)->run(stop); }, this);
}

stack::~stack() {
    // First whoever could call a service, then the services, the last one first.
    for (auto& one : interfaces_)
        one->stop();
    fiber_ = {};
    while (services_ != nullptr)
        delete std::exchange(services_, services_->before_);
    looped_.clear();
}

fiber::handle<void> stack::spawn(const char* name, service_loop loop, void* of) {
    return fiber::spawn([loop, of](const std::stop_token& stop) { loop(of, stop); }, {.name = name, .service = true});
}

interface& stack::add_port(std::unique_ptr<nic_port> port) {
    Expects(interfaces_.size() <= limits_.interfaces);
    const auto number = static_cast<std::uint16_t>(interfaces_.size());
    interfaces_.push_back(std::unique_ptr<interface>{new interface{*this, number, std::move(port)}});
    interface& added = *interfaces_[number];
    added.start();
    changed();
    return added;
}

stack_service* stack::find_service(const char* key) const noexcept {
    stack_service* one = services_;
    while (one != nullptr && one->key_ != key)
        one = one->before_;
    return one;
}

stack_service& stack::keep(const char* key, std::unique_ptr<stack_service> made) noexcept {
    made->key_ = key;
    made->before_ = services_;
    services_ = made.release();
    return *services_;
}

result<void> stack::configure(const interface_address& address, const std::optional<ip_address>& gateway, bool probes,
                              const fiber::wait_limit& limit) {
    interface* const to = first_nic();
    if (to == nullptr)
        return network_failure(std::errc::no_such_device, "configure a stack");
    if (gateway && !address.network().contains(*gateway))
        return failure(error{std::make_error_code(std::errc::network_unreachable), "reach the gateway",
                             gateway->to_text().view()});
    if (auto added = add_address(*to, address, probes, limit); !added || !gateway)
        return added;
    return add_route({.destination = ip_prefix{gateway->is_v4() ? ip_address{} : ip_address{ipv6_address{}}, 0},
                      .via = to,
                      .gateway = *gateway});
}

result<void> stack::add_address(interface& to, const interface_address& address, bool probes,
                                const fiber::wait_limit& limit) {
    constexpr const char* attempted = "give an interface an address";
    const ip_address& own = address.address();
    const auto refuse = [&](std::error_code code) { return failure(error{code, attempted, own.to_text().view()}); };
    const auto last = address.network().broadcast();
    if (!own.is_unicast() || own.is_loopback() || (last && (*last == own.v4() || address.network().address() == own)))
        return refuse(std::make_error_code(std::errc::address_not_available));
    if (layers_[static_cast<std::size_t>(own.family())] == nullptr)
        return refuse(std::make_error_code(std::errc::address_family_not_supported));
    if (is_ours(own))
        return refuse(std::make_error_code(std::errc::address_in_use));
    if (to.addresses_.full())
        return refuse(std::make_error_code(std::errc::no_buffer_space));
    if (probes && own.is_v4() && !to.is_loopback()) {
        const arp_probing how{limits_.address_probes, limits_.address_probe_wait, limits_.address_probe_least,
                              limits_.address_probe_most};
        if (auto free = arp_.probe(to, own.v4(), how, limit); !free)
            return refuse(free.error().code());
    }
    if (auto added = routes_.add({address.network(), &to, {}, 0, route_origin::address}); !added)
        return added;
    to.addresses_.push_back(address);
    addresses_changed();
    if (own.is_v4() && !to.is_loopback())
        arp_.announce(to, own.v4());
    return {};
}

bool stack::remove_address(interface& from, const ip_address& address) {
    std::optional<ip_prefix> network;
    from.addresses_.erase_if([&](const interface_address& one) {
        const bool is_it = one.address() == address;
        if (is_it)
            network = one.network();
        return is_it;
    });
    if (!network)
        return false;
    addresses_changed();
    bool is_left = false;
    for (const interface_address& one : from.addresses_)
        is_left = is_left || one.network() == *network;
    remove_routes([&](const route& one) {
        return one.via == &from && !is_left &&
               (one.is_direct() ? one.destination == *network && one.origin == route_origin::address
                                : network->contains(one.gateway));
    });
    return true;
}

void stack::addresses_changed() noexcept {
    changed();
    ++address_changes_;
    fiber::this_scheduler().signal_all(address_waiting_);
}

result<std::uint64_t> stack::wait_for_addresses(std::uint64_t seen, const fiber::wait_limit& limit) {
    while (address_changes_ == seen) {
        const fiber::wake how = fiber::this_scheduler().wait(address_waiting_, limit);
        if (how != fiber::wake::signalled)
            return fiber::detail::gave_up(how, "wait for another address");
    }
    return address_changes_;
}

result<void> stack::add_route(const route& one) {
    Expects(one.via != nullptr);
    bool reachable = one.is_direct();
    for (const interface_address& own : one.via->addresses())
        reachable = reachable || own.network().contains(one.gateway);
    if (!reachable)
        reachable =
            routes_.find(one.gateway, [&](const route& other) { return other.is_direct() && other.via == one.via; });
    if (!reachable || (!one.is_direct() && one.gateway.family() != one.destination.address().family()))
        return network_failure(std::errc::network_unreachable, "reach the gateway");
    changed();
    return routes_.add(one);
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

void stack::attach(ip_protocol protocol, ip_protocol_handler& by) {
    Expects(handler_of(protocol) == nullptr);
    protocols_.push_back({protocol, &by});
}

void stack::attach(wire::ethertype type, link_protocol_handler& by) { link_protocols_.push_back({type, &by}); }

result<packet> stack::allocate_own(std::size_t size) {
    if (!own_memory_) {
        auto made = packet_pool::make({.large_count = limits_.loopback_memory, .small_count = limits_.loopback_memory});
        if (!made)
            return failure(made.error());
        own_memory_ = std::move(*made);
    }
    return own_memory_->allocate(size);
}

}  // namespace halvm::net
