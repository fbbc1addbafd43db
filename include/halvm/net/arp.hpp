// SPDX-License-Identifier: BSD-3-Clause
// ARP: answers for our addresses, asks for others, and finds out whether an address is in use. [rfc826] [rfc5227]
#pragma once

#include <halvm/net/neighbours.hpp>
#include <halvm/net/wire/arp.hpp>

#include <chrono>

namespace halvm::net {

/// How an address is tried before it is used.
struct arp_probing {
    unsigned probes = 0;
    std::chrono::milliseconds wait{};   ///< before the first, at most
    std::chrono::milliseconds least{};  ///< after each
    std::chrono::milliseconds most{};
};

class arp_layer final : public link_protocol_handler, public neighbour_solicitor {
public:
    explicit arp_layer(stack& own);
    ~arp_layer();

    void receive(const frame_origin& from, packet payload) override;
    void solicit(interface& via, const ip_address& target, const std::optional<mac_address>& known) override;

    /// Blocks until nobody has answered: the address is free. [rfc5227 2.1]
    /// Errors: std::errc::address_in_use; timed_out and operation_canceled by the limit.
    result<void> probe(interface& via, ipv4_address address, const arp_probing& how, const fiber::wait_limit& limit);
    /// Tells all that an address is ours, now and later as often as limits say. [rfc5227 2.3]
    void announce(interface& via, ipv4_address address);

private:
    /// An address that is being tried, in the frame of probe().
    struct trial {
        interface& via;
        ipv4_address address;
        bool taken = false;
        fiber::wait_queue waiting{"answers to an ARP probe", true};
        trial* next = nullptr;
    };
    struct announcer : alarm {
        announcer() noexcept : alarm{[](alarm& one) noexcept { static_cast<announcer&>(one).due(); }} {}
        void due() noexcept { arp->announce_again(*this); }

        arp_layer* arp = nullptr;
        interface* via = nullptr;
        ipv4_address address;
        unsigned left = 0;
    };

    void send(interface& via, const wire::arp_packet& what, const mac_address& to);
    void announce_again(announcer& one) noexcept;
    bool conflicts(interface& via, const wire::arp_view& said);

    stack& stack_;
    trial* trials_ = nullptr;
    std::array<announcer, 4> announcers_;
    fiber::instant defended_ = 0;
};

}  // namespace halvm::net
