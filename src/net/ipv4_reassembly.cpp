// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/net/ipv4.hpp>

#include <halvm/net/stack.hpp>

#include <algorithm>

namespace halvm::net {

using namespace wire;

ipv4_reassembly::ipv4_reassembly(ipv4_layer& own, stack& in)
    : ipv4_{own}, stack_{in}, table_{in.limits().reassemblies} {}

ipv4_reassembly::~ipv4_reassembly() {
    table_.for_each([this](entry& one) { empty(one); });
}

void ipv4_reassembly::empty(entry& one) noexcept {
    stack_.alarms().cancel(one);
    held_ -= one.pieces.size();
    one.pieces.clear();
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
    while ((one == nullptr && table_.full()) || held_ == stack_.limits().fragments) {
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

    auto at = one->pieces.begin();
    while (at != one->pieces.end() && at->begin < begin)
        ++at;
    if (at != one->pieces.end() && at->begin == begin && at->end == end && (!is_last || one->size == end)) {
        ++counted.repeated_fragments;
        return std::nullopt;
    }
    const bool overlaps = (at != one->pieces.end() && at->begin < end) ||
                          (at != one->pieces.begin() && std::prev(at)->end > begin) ||
                          (one->size != 0 && (end > one->size || (is_last && end != one->size))) ||
                          (is_last && !one->pieces.empty() && one->pieces.back().end > end);
    if (overlaps) {
        // It stays, empty, so that what comes late does not make a datagram of its own.
        ++counted.overlaps;
        held_ -= one->pieces.size();
        one->pieces.clear();
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
    one->pieces.insert(at, piece{std::move(data), begin, end});
    ++held_;
    if (one->size == 0)
        return std::nullopt;
    std::uint32_t reached = 0;
    for (const piece& each : one->pieces) {
        if (each.begin != reached)
            return std::nullopt;
        reached = each.end;
    }
    return reached == one->size ? join(*one) : std::nullopt;
}

std::optional<ip_datagram> ipv4_reassembly::join(entry& one) {
    ip_datagram whole = std::move(one.first);
    const std::size_t total = whole.header + one.size;
    for (piece& each : one.pieces)
        whole.whole.append(std::move(each.data));
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
    if (!one.spoiled && !one.pieces.empty() && one.pieces.front().begin == 0) {
        first = std::move(one.first);
        first.whole = std::move(one.pieces.front().data);
    }
    drop(one);
    if (first.whole)
        stack_.icmpv4().report(first, icmpv4_error::exceeded(exceeded_code::reassembly));
}

}  // namespace halvm::net
