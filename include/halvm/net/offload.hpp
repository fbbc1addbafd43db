// SPDX-License-Identifier: BSD-3-Clause
// In software, what a packet's metadata leaves to a device: for whoever sends through one that does not do it.
#pragma once

#include <halvm/device/nic.hpp>
#include <halvm/net/checksum.hpp>
#include <halvm/net/wire/ipv4.hpp>
#include <halvm/net/wire/tcp.hpp>
#include <halvm/net/wire/udp.hpp>

#include <algorithm>
#include <utility>

namespace halvm::net {

/// The sum of a packet's bytes from `begin` on. Pre: there are as many.
[[gnu::noinline, gnu::noclone]] inline checksum sum_from(const packet& of, std::size_t begin) noexcept {
    Expects(begin <= of.size());
    checksum sum;
    for (const const_bytes piece : of.pieces()) {
        const std::size_t skip = std::min(begin, piece.size());
        sum.add(piece.subspan(skip));
        begin -= skip;
    }
    return sum;
}

/// Fills in a blank checksum; no clone sees it. Does nothing when it is not blank.
/// Pre: its offsets are in the packet. Errors: those of packet::writable(), and the packet's bytes are as they were.
[[gnu::noinline, gnu::noclone]] inline result<void> fill_in_checksum(packet& frame) noexcept {
    packet_metadata& about = frame.metadata();
    if (about.checksum != packet_checksum::blank)
        return {};
    const std::size_t at = std::size_t{about.checksum_start} + about.checksum_at;
    const std::uint16_t value = sum_from(frame, about.checksum_start).value();
    const auto front = frame.writable(at + 2);
    if (!front)
        return failure(front.error());
    // In UDP, 0 says that there is none. [rfc768]
    const bool is_udp = about.checksum_at == wire::udp_field::checksum;
    wire::store16(*front, at, value == 0 && is_udp ? std::uint16_t{0xffff} : value);
    frame.metadata().checksum = packet_checksum::present;
    return {};
}

/// Makes of a packet that is to be segmented the frames that go over the wire, with blank checksums, and gives them to
/// `take(packet)` in their order. The payload is shared, the headers are copies. A packet that is not to be segmented
/// is given as it is.
/// Pre: what check(packet, nic_info) asks of such a packet. Errors: those of clone() and prepend(), after some frames.
template <class Take>
result<void> segment(packet whole, Take take) {
    using namespace wire;
    const packet_metadata about = whole.metadata();
    if (about.segmentation == packet_segmentation::none) {
        take(std::move(whole));
        return {};
    }
    const std::size_t headers = about.header_length;
    const std::size_t ip = ethernet::outline_of(whole).header;
    const std::size_t tcp = about.checksum_start;
    auto found = whole.linearize(headers);
    if (!found)
        return failure(found.error());
    const const_bytes first = *found;
    Expects(tcp + tcp_field::size <= headers && ip + ipv4_field::size <= tcp);
    const auto flags = load8(first, tcp + tcp_field::flags);
    const std::uint32_t sequence = load32(first, tcp + tcp_field::sequence);
    const auto whole_length = static_cast<std::uint16_t>(whole.size() - tcp);
    const auto no_sum = static_cast<std::uint16_t>(~load16(first, tcp + tcp_field::checksum));

    std::uint16_t number = 0;
    for (std::size_t at = headers; at < whole.size(); at += about.segment_size, ++number) {
        const std::size_t size = std::min<std::size_t>(about.segment_size, whole.size() - at);
        const bool last = at + size == whole.size();
        auto frame = whole.clone(at, size);
        if (!frame)
            return failure(frame.error());
        const auto room = frame->prepend(headers);
        if (!room)
            return failure(room.error());
        const bytes out = *room;
        store_bytes(out, 0, first);
        if (about.segmentation == packet_segmentation::tcp_ipv4) {
            store16(out, ip + ipv4_field::total_length, static_cast<std::uint16_t>(headers - ip + size));
            store16(out, ip + ipv4_field::identification,
                    static_cast<std::uint16_t>(load16(first, ip + ipv4_field::identification) + number));
            store16(out, ip + ipv4_field::checksum, 0);
            const std::size_t length = (load8(first, ip) & 0xfu) * std::size_t{4};
            store16(out, ip + ipv4_field::checksum, checksum{out.subspan(ip, length)}.value());
        } else {
            constexpr std::size_t payload_length = 4, fixed_header = 40;  // [rfc8200 3]
            store16(out, ip + payload_length, static_cast<std::uint16_t>(headers - ip - fixed_header + size));
        }
        store32(out, tcp + tcp_field::sequence, sequence + static_cast<std::uint32_t>(at - headers));
        // What ends something is said in the last one, that the window was reduced in the first. [rfc3168 6.1.2]
        std::uint8_t kept = flags;
        if (!last)
            kept &= static_cast<std::uint8_t>(~(tcp_field::fin | tcp_field::psh));
        if (number != 0)
            kept &= static_cast<std::uint8_t>(~tcp_field::cwr);
        store8(out, tcp + tcp_field::flags, kept);
        const auto length = static_cast<std::uint16_t>(headers - tcp + size);
        store16(out, tcp + tcp_field::checksum,
                static_cast<std::uint16_t>(~checksum::updated(no_sum, whole_length, length)));
        frame->metadata().checksum = packet_checksum::blank;
        frame->metadata().checksum_start = about.checksum_start;
        frame->metadata().checksum_at = about.checksum_at;
        take(std::move(*frame));
    }
    return {};
}

/// Whether a receiver of `info` takes the packet with what is left to do in it.
inline bool takes_blank(const nic_info& info, const packet& frame) noexcept {
    const auto type = ethernet::outline_of(frame).type;
    return type == ethernet::ipv4 ? info.receive.checksum_ipv4 : info.receive.checksum_ipv6;
}
inline bool takes_joined(const nic_info& info, const packet& frame) noexcept {
    return frame.size() <= (frame.metadata().segmentation == packet_segmentation::tcp_ipv4
                                ? info.receive.longest_tcp_ipv4
                                : info.receive.longest_tcp_ipv6);
}

}  // namespace halvm::net
