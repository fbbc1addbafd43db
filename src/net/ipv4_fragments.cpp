// SPDX-License-Identifier: BSD-3-Clause
// What goes in fragments, and what comes in them; and what could not go.
#include <halvm/net/ipv4.hpp>

#include <halvm/net/offload.hpp>
#include <halvm/net/stack.hpp>

#include <algorithm>

namespace halvm::net {

using namespace wire;

result<void> ipv4_layer::send_pieces(const path& way, ipv4_header header, packet payload) {
    ip_statistics& counted = stack_.counters().ip;
    // No device fills in a sum over several frames.
    if (auto filled = fill_in_checksum(payload); !filled)
        return filled;
    ++counted.fragmented;
    const std::size_t most = (way.mtu - header.size()) / 8 * 8;
    std::size_t at = 0;
    for (packet rest; payload; payload = std::move(rest)) {
        rest = {};
        header.has_more_fragments = payload.size() > most;
        if (header.has_more_fragments) {
            auto behind = payload.split(most);
            if (!behind)
                return failure(behind.error());
            rest = std::move(*behind);
        }
        header.fragment_offset = static_cast<std::uint16_t>(at);
        at += payload.size();
        ++counted.fragments_sent;
        if (auto sent = send_piece(way, header, std::move(payload)); !sent)
            return sent;
    }
    return {};
}

void ipv4_layer::undeliverable(packet whole) {
    const auto front = whole.linearize(std::min(whole.size(), ipv4_field::greatest_header + std::size_t{8}));
    const auto header = front ? icmpv4_quote::parse(*front) : failure(front.error());
    if (!header)
        return;
    if (ip_protocol_handler* const handler = stack_.handler_of(header->protocol());
        handler && header->payload().size() >= 8)
        handler->failed({.problem = ip_problem::host_unreachable,
                         .protocol = header->protocol(),
                         .reporter = header->source(),
                         .source = header->source(),
                         .destination = header->destination(),
                         .transport = header->payload()});
}

ipv4_reassembly::ipv4_reassembly(ipv4_layer& own, stack& in)
    : ipv4_{own}, stack_{in}, table_{in.limits().reassemblies}, held_{in.limits().fragments} {}

ipv4_reassembly::~ipv4_reassembly() {
    table_.for_each([this](entry& one) { empty(one); });
}

void ipv4_reassembly::empty(entry& one) noexcept {
    stack_.alarms().cancel(one);
    held_.give_all(one.pieces);
    one.first = {};
}

void ipv4_reassembly::drop(entry& one) noexcept {
    empty(one);
    table_.erase(one);
}

std::optional<ip_datagram> ipv4_reassembly::add(ip_datagram fragment, const ipv4_view& header) {
    ip_statistics& counted = stack_.counters().ip;
    const name key{header.source(), header.destination(), header.identification(), header.protocol(),
                   fragment.in->number()};
    const auto begin = static_cast<std::uint32_t>(header.fragment_offset());
    const bool is_last = !header.has_more_fragments();
    entry* one = table_.find(key);
    // Who has waited longest makes room.
    while ((one == nullptr && table_.full()) || held_.full()) {
        ++counted.reassembly_limit;
        entry& oldest = table_.least_recent();
        if (&oldest == one)
            one = nullptr;
        drop(oldest);
    }
    if (one == nullptr) {
        one = &table_.insert(key);
        table_.touch(*one);
        one->own = this;
        one->size = 0;
        one->spoiled = false;
        stack_.alarms().set_in(*one, stack_.limits().reassembly_time);
    }
    if (one->spoiled)
        return std::nullopt;
    const auto end = begin + static_cast<std::uint32_t>(fragment.payload_size());

    held_packet** at = &one->pieces;
    std::uint32_t before = 0;  // where the one before it ends
    for (; *at != nullptr && (*at)->begin < begin; at = &(*at)->next)
        before = (*at)->end;
    const held_packet* const next = *at;
    if (next != nullptr && next->begin == begin && next->end == end && (!is_last || one->size == end)) {
        ++counted.repeated_fragments;
        return std::nullopt;
    }
    const bool overlaps = before > begin || (next != nullptr && (next->begin < end || is_last)) ||
                          (one->size != 0 && (end > one->size || (is_last && end != one->size)));
    if (overlaps) {
        // It stays, empty, so that what comes late does not make a datagram of its own.
        ++counted.overlaps;
        held_.give_all(one->pieces);
        one->spoiled = true;
        return std::nullopt;
    }
    if (is_last)
        one->size = end;
    packet data = std::move(fragment.whole);
    if (begin == 0)
        one->first = std::move(fragment);
    else
        data.trim_front(fragment.header);
    held_packet& added = held_.take(std::move(data));
    added.begin = begin;
    added.end = end;
    added.next = std::exchange(*at, &added);
    if (one->size == 0)
        return std::nullopt;
    std::uint32_t reached = 0;
    for (const held_packet* each = one->pieces; each != nullptr; each = each->next) {
        if (each->begin != reached)
            return std::nullopt;
        reached = each->end;
    }
    return reached == one->size ? join(*one) : std::nullopt;
}

std::optional<ip_datagram> ipv4_reassembly::join(entry& one) {
    ip_datagram whole = std::move(one.first);
    const std::size_t total = whole.header + one.size;
    while (one.pieces != nullptr)
        whole.whole.append(held_.give_first(one.pieces));
    drop(one);
    ip_statistics& counted = stack_.counters().ip;
    if (total > ipv4_field::greatest_datagram) {
        ++counted.bad_header;
        return std::nullopt;
    }
    // As if it had come in one piece, for whoever quotes it.
    const auto header = whole.whole.writable(whole.header);
    if (!header) {
        ++counted.no_memory;
        return std::nullopt;
    }
    store16(*header, ipv4_field::total_length, static_cast<std::uint16_t>(total));
    store16(*header, ipv4_field::fragment, 0);
    store16(*header, ipv4_field::checksum, 0);
    store16(*header, ipv4_field::checksum, checksum{const_bytes{*header}}.value());
    // A device saw fragments only.
    whole.whole.metadata().checksum = packet_checksum::present;
    return whole;
}

void ipv4_reassembly::expire(entry& one) noexcept {
    ++stack_.counters().ip.reassembly_timeouts;
    // Only when the first fragment is there to be quoted. [rfc1122 3.3.2]
    ip_datagram first;
    if (one.pieces != nullptr && one.pieces->begin == 0) {
        first = std::move(one.first);
        first.whole = held_.give_first(one.pieces);
    }
    drop(one);
    if (first.whole)
        stack_.icmpv4().report(first, icmpv4_error::exceeded(exceeded_code::reassembly));
}

}  // namespace halvm::net
