// SPDX-License-Identifier: BSD-3-Clause
// What a stack tells a device of a packet, and a device tells a stack, beside the bytes.
#pragma once

#include <cstdint>

namespace halvm {

/// What is known of the checksum of the TCP or UDP segment in a packet.
enum class packet_checksum : std::uint8_t {
    present,   ///< it stands in its place; nobody has looked whether it is right
    verified,  ///< received: the device has found it right
    blank,     ///< the sum of the pseudo-header stands in its place; whoever sends it on a wire fills in the rest
};

/// Whether a packet is to be sent as several, or was received as several that a device has joined. Such a packet has
/// the headers of one; its checksum is blank, over a pseudo-header with the length of the whole.
enum class packet_segmentation : std::uint8_t { none, tcp_ipv4, tcp_ipv6 };

/// Offsets are from the packet's first byte, and stay with the bytes that they mean when something is put in front or
/// taken off.
struct packet_metadata {
    std::uint32_t flow_hash = 0;       ///< equal for the packets of a flow; 0 when nobody has made one
    std::uint16_t checksum_start = 0;  ///< blank: where the sum begins, which is at the TCP or UDP header
    std::uint16_t checksum_at = 0;     ///< blank: where it goes, from checksum_start on
    std::uint16_t segment_size = 0;    ///< segmentation: bytes of payload in each segment but the last
    std::uint16_t header_length = 0;   ///< segmentation: of all headers together; 0 when a device did not say
    std::uint16_t queue = 0;           ///< received: the device's queue that it came through
    std::uint16_t interface = 0;       ///< received: of several NICs, which; free for whoever has them
    packet_checksum checksum = packet_checksum::present;
    packet_segmentation segmentation = packet_segmentation::none;

    friend bool operator==(const packet_metadata&, const packet_metadata&) = default;
};

}  // namespace halvm
