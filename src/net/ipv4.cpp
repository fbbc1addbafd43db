// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/net/ipv4.hpp>

#include <halvm/net/offload.hpp>
#include <halvm/net/stack.hpp>

#include <algorithm>

namespace halvm::net {
namespace {

using namespace wire;

constexpr std::uint8_t loose_source_route = 131, strict_source_route = 137;  // [rfc791 3.1]

/// A group's address on Ethernet. [rfc1112 6.4]
mac_address mac_of_group(ipv4_address group) noexcept {
    const auto octets = group.octets();
    return mac_address{{0x01, 0x00, 0x5e, static_cast<std::uint8_t>(octets[1] & 0x7f), octets[2], octets[3]}};
}

bool has_source_route(const ipv4_view& header) noexcept {
    for (const option one : header.options())
        if (one.kind == loose_source_route || one.kind == strict_source_route)
            return true;
    return false;
}

}  // namespace

ipv4_layer::ipv4_layer(stack& own)
    : stack_{own}, reassembly_{*this, own}, path_mtus_{own.limits().path_mtus}, secret_{own.random().next()} {
    for (std::uint16_t& one : identifications_)
        one = static_cast<std::uint16_t>(own.random().next());
}

void ipv4_layer::receive(const frame_origin& from, packet payload) {
    check(from.in, from.to_group, std::move(payload));
}

void ipv4_layer::receive_own(packet whole) { check(stack_.loopback(), false, std::move(whole)); }

void ipv4_layer::check(interface& in, bool link_group, packet payload) {
    ip_statistics& counted = stack_.counters().ip;
    ++counted.received;
    const std::size_t all = payload.size();
    auto front = payload.linearize(std::min(all, ipv4_field::size + 8));
    if (front && front->size() >= ipv4_field::size) {
        // Options, if there are any.
        const std::size_t header = (load8(*front, ipv4_field::version) & 0xfu) * std::size_t{4};
        if (header + 8 > front->size())
            front = payload.linearize(std::min(all, header + 8));
    }
    if (!front) {
        ++counted.no_memory;
        return;
    }
    const auto header = ipv4_view::parse(*front, all);
    if (!header) {
        ++counted.bad_header;
        return;
    }
    if (!in.is_loopback() && !header->has_right_checksum()) {
        ++counted.bad_checksum;
        return;
    }
    const ipv4_address source = header->source(), destination = header->destination();
    if (!in.is_loopback()) {
        // Nobody else sends with our addresses, nor a host with one that it cannot have. [rfc1122 3.2.1.3]
        if (!source.is_unicast() || source.is_loopback() || in.role_of(source) != address_role::foreign ||
            stack_.is_ours(source)) {
            ++counted.bad_source;
            return;
        }
        if (destination.is_loopback() || destination.is_unspecified()) {
            ++counted.bad_destination;
            return;
        }
    }
    // A source route would be answered along it, past whoever guards the way. [rfc1122 3.3.5]
    if (header->header().size() != ipv4_field::size && has_source_route(*header)) {
        ++counted.source_route;
        return;
    }
    ip_datagram made{.header = header->header().size(),
                     .in = &in,
                     .source = source,
                     .destination = destination,
                     .protocol = header->protocol(),
                     .ttl = header->ttl(),
                     .traffic_class = header->traffic_class(),
                     .link_group = link_group};
    const address_role role = in.role_of(destination);
    if (destination.is_multicast())
        made.cast = ip_cast::multicast;
    else if (role == address_role::broadcast)
        made.cast = ip_cast::broadcast;
    bool is_ours = true;
    if (made.cast == ip_cast::unicast)
        is_ours = in.is_loopback() ? stack_.is_ours(destination) : role == address_role::own || in.is_unnumbered();
    else if (made.cast == ip_cast::multicast)
        is_ours = destination == ipv4_address{224, 0, 0, 1} || in.is_loopback();
    // A host's own address in a frame to all is somebody's mistake, or an attempt to be answered by all.
    // [rfc1122 3.3.6]
    if (link_group && made.cast == ip_cast::unicast && !in.is_unnumbered()) {
        ++counted.bad_destination;
        return;
    }
    if (!is_ours) {
        ++counted.not_ours;
        return;
    }
    const bool is_fragment = header->is_fragment();
    const std::size_t total = header->total_length();
    if (total != all)
        payload.trim_back(all - total);
    made.whole = std::move(payload);
    if (!is_fragment)
        return deliver(std::move(made));
    ++counted.fragments_received;
    // What was trimmed is at the end, and what was looked at is where it was.
    if (auto whole = reassembly_.add(std::move(made), *header)) {
        ++counted.reassembled;
        deliver(std::move(*whole));
    }
}

void ipv4_layer::deliver(ip_datagram in) {
    ip_statistics& counted = stack_.counters().ip;
    ip_protocol_handler* const handler = stack_.handler_of(in.protocol);
    std::optional<ip_refusal> refused = ip_refusal::no_protocol;
    if (handler != nullptr)
        refused = handler->receive(in);
    if (!refused) {
        ++counted.delivered;
        return;
    }
    if (*refused == ip_refusal::no_protocol)
        ++counted.unknown_protocol;
    stack_.icmpv4().report(in,
                           icmpv4_error::unreachable(*refused == ip_refusal::no_protocol ? unreachable_code::protocol
                                                                                         : unreachable_code::port));
}

result<void> ipv4_layer::send(const path& way, const ip_sending& how, packet payload) {
    constexpr const char* attempted = "send an IPv4 datagram";
    ip_statistics& counted = stack_.counters().ip;
    const std::size_t size = payload.size() + ipv4_field::size;
    const bool is_segmented = payload.metadata().segmentation != packet_segmentation::none;
    if (size > ipv4_field::greatest_datagram || (size > way.mtu && !how.may_be_fragmented && !is_segmented)) {
        ++counted.too_big;
        return network_failure(std::errc::message_size, attempted);
    }
    if (!way.via->is_up())
        return network_failure(std::errc::network_down, attempted);
    ipv4_header header{.source = way.source.v4(),
                       .destination = way.destination.v4(),
                       .protocol = how.protocol,
                       .ttl = how.ttl,
                       .traffic_class = how.traffic_class,
                       .may_not_be_fragmented = !how.may_be_fragmented};
    // Of what is never in fragments, nobody looks at it. [rfc6864 4.1]
    if (how.may_be_fragmented)
        header.identification = next_identification(way.destination);
    ++counted.sent;
    const stack::batch together{stack_};
    return size <= way.mtu || is_segmented ? send_piece(way, header, std::move(payload))
                                           : send_pieces(way, std::move(header), std::move(payload));
}

result<void> ipv4_layer::send_piece(const path& way, const ipv4_header& header, packet payload) {
    const std::size_t size = payload.size();
    const auto room = payload.prepend(header.size());
    if (!room) {
        ++stack_.counters().ip.no_memory;
        return failure(room.error());
    }
    header.write(*room, size);
    interface& via = *way.via;
    if (via.is_loopback()) {
        stack_.loop(std::move(payload));
        return {};
    }
    if (payload.metadata().checksum == packet_checksum::blank && !via.info().transmit.checksum_ipv4)
        if (auto filled = fill_in_checksum(payload); !filled)
            return filled;
    if (way.cast == ip_cast::unicast)
        return stack_.neighbours().send(via, way.next_hop, ethertype::ipv4, std::move(payload));
    via.send(std::move(payload),
             way.cast == ip_cast::broadcast ? mac_address::broadcast() : mac_of_group(header.destination),
             ethertype::ipv4);
    return {};
}

std::uint16_t ipv4_layer::next_identification(const ip_address& destination) noexcept {
    // Not one count for all, which would tell everybody how much we send to others. [rfc7739 5.3]
    const std::uint64_t mixed = reading::mix(std::hash<ip_address>{}(destination) ^ secret_);
    return static_cast<std::uint16_t>(identifications_[mixed % identifications_.size()]++ + (mixed >> 32));
}

}  // namespace halvm::net
