// SPDX-License-Identifier: BSD-3-Clause
// The NIC concept: an Ethernet interface that gives and takes whole frames, many at once.
//
// Semantics that the syntax cannot say:
// - A frame begins with its destination address and ends with its payload: there is no preamble, no check sequence, and
//   no padding that was not sent. A VLAN tag stands in the frame; a driver whose device takes it out puts it back.
// - Frames of one call go out in their order, and so do those of calls that follow each other. None is promised to
//   arrive.
// - Taken is not sent: a packet's memory is in use until the device has let go of it, which its storages' references
//   tell, and which comes in a time that the other end may choose. Sharing it (packet::clone()) keeps the bytes;
//   whoever writes to them before changes what is sent.
// - A frame that the device cannot send is taken like all others, counted by its reason (frame_loss) and dropped: so
//   is each one while there is no link, and one that asks for an offload that info() does not say. Nothing is fixed
//   up silently, and no fault of a frame is an error of the call.
// - Received frames come in their order, each to one receiver. What no memory was left for, or what nobody fetched in
//   time, is counted and dropped. A device that says so (offloads, received) gives frames with blank checksums and
//   joined segments; metadata() tells.
// - info() may change while the device is used: link and mtu at any time, all of it when a back end was replaced.
//   Each receiver that is waiting then, or asks next, learns of it by a receive() of no frames.
// - A device that breaks, or goes away, fails what waits and all that comes; nothing waits for ever. To destroy one
//   ends what waits in it, with std::errc::no_such_device. Its packets stay good.
#pragma once

#include <halvm/device/device.hpp>
#include <halvm/device/mac_address.hpp>
#include <halvm/device/packet.hpp>
#include <halvm/result.hpp>

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <stop_token>

namespace halvm {

/// What is left to the device. In the direction of transmission: what it can do; of reception: what it may leave undone
/// or join. A checksum is of TCP or UDP; that of an IPv4 header is never left.
struct nic_offloads {
    bool checksum_ipv4 = false;
    bool checksum_ipv6 = false;
    std::uint32_t longest_tcp_ipv4 = 0;  ///< bytes of a frame that is to be segmented, headers and all; 0 when none is
    std::uint32_t longest_tcp_ipv6 = 0;

    friend bool operator==(const nic_offloads&, const nic_offloads&) = default;
};

/// What a device is and can do, now.
struct nic_info {
    mac_address mac{};
    std::uint32_t mtu = 1500;  ///< bytes of a frame behind its Ethernet header and one VLAN tag
    bool link_up = true;
    std::uint16_t queues = 1;       ///< packet_metadata::queue is less
    std::uint32_t most_pieces = 1;  ///< runs of memory in one frame
    std::uint32_t headroom = 0;     ///< bytes in front of a frame that save the device work; allocate() sees to it
    nic_offloads transmit{};
    nic_offloads receive{};

    friend bool operator==(const nic_info&, const nic_info&) = default;
};

/// Why a frame was lost in the device.
enum class frame_loss : std::uint8_t {
    too_short,        ///< no whole Ethernet header
    too_long,         ///< for the mtu; segmented: for the offload
    too_many_pieces,  ///< to be sent
    bad_offload,      ///< asks for what the device does not do, or contradicts itself
    no_link,
    no_memory,     ///< for a received frame, or for a copy
    no_room,       ///< in a queue, because nobody fetched what came before
    device_error,  ///< the device, or its other end, says that it failed
};
inline constexpr std::size_t frame_losses = 8;

/// Of one direction, since the device was opened.
struct nic_traffic {
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;
    std::array<std::uint64_t, frame_losses> losses{};

    [[nodiscard]] std::uint64_t lost(frame_loss why) const noexcept { return losses[static_cast<std::size_t>(why)]; }
    [[nodiscard]] std::uint64_t lost() const noexcept {
        std::uint64_t sum = 0;
        for (const std::uint64_t one : losses)
            sum += one;
        return sum;
    }
    void count(const packet& frame) noexcept {
        ++packets;
        bytes += frame.size();
    }
    void count(frame_loss why, std::uint64_t frames = 1) noexcept { losses[static_cast<std::size_t>(why)] += frames; }

    friend bool operator==(const nic_traffic&, const nic_traffic&) = default;
};

struct nic_statistics {
    nic_traffic received{};
    nic_traffic transmitted{};  ///< taken and not lost here; whether they arrived nobody says

    friend bool operator==(const nic_statistics&, const nic_statistics&) = default;
};

template <class Device>
concept NIC = UniqueDevice<Device> &&
    requires(Device& device, const Device& view, std::size_t size, std::span<packet> frames, std::stop_token stop) {
    // Neither blocks.
    { view.info() }
    noexcept->std::same_as<nic_info>;
    { view.statistics() }
    noexcept->std::same_as<nic_statistics>;
    // A packet of `size` bytes in memory that the device reaches without a copy, with room for headers in front. Never
    // blocks; fails with std::errc::not_enough_memory.
    { device.allocate(size) } -> std::same_as<result<packet>>;
    // Blocks until there is a frame, and fills `frames` from the front with all there are, up to its size; what was in
    // the places that are filled is dropped. How many; 0 when info() has changed. Pre: `frames` is not empty.
    // Fails with std::errc::operation_canceled once a stop is asked for, and as the device breaks.
    { device.receive(frames, stop) } -> std::same_as<result<std::size_t>>;
    // Takes from the front as many as there is room for now, and tells the other end once. How many; those places are
    // left without a packet. Never blocks. 0 of a device that broke: transmit() says why. Pre: each is a packet.
    { device.try_transmit(frames) } -> std::same_as<std::size_t>;
    // Blocks until all are taken. Fails as receive() does; what was not taken then is still there.
    { device.transmit(frames, stop) } -> std::same_as<result<void>>;
};

/// Blocks until it is taken. Fails as the device's transmit(), and the frame is lost then.
template <NIC Device>
result<void> transmit(Device& device, packet frame, std::stop_token stop = {}) {
    return device.transmit({&frame, 1}, std::move(stop));
}

namespace ethernet {
inline constexpr std::size_t header_size = 14;
inline constexpr std::size_t tag_size = 4;
inline constexpr std::uint16_t tagged = 0x8100;
inline constexpr std::uint16_t ipv4 = 0x0800;
inline constexpr std::uint16_t ipv6 = 0x86dd;

/// What the bytes in front of the payload say: its type, and where it begins.
struct outline {
    std::uint16_t type;
    std::size_t header;
};
/// Of a frame that has a header. One tag is looked behind.
inline outline outline_of(const packet& frame) noexcept {
    std::array<std::byte, 2> field{};
    const auto type_at = [&](std::size_t at) {
        frame.copy_out(at, field);
        return static_cast<std::uint16_t>(static_cast<unsigned>(field[0]) << 8 | static_cast<unsigned>(field[1]));
    };
    const std::uint16_t type = type_at(header_size - 2);
    if (type != tagged || frame.size() < header_size + tag_size)
        return {type, header_size};
    return {type_at(header_size + tag_size - 2), header_size + tag_size};
}
}  // namespace ethernet

/// Why a device that `info` describes will not send a frame, if so; each counts and drops by this. [ieee802.3 3.2]
std::optional<frame_loss> check(const packet& frame, const nic_info& info) noexcept;

inline std::optional<frame_loss> check(const packet& frame, const nic_info& info) noexcept {
    if (!info.link_up)
        return frame_loss::no_link;
    if (frame.size() < ethernet::header_size)
        return frame_loss::too_short;
    if (frame.piece_count() > info.most_pieces)
        return frame_loss::too_many_pieces;
    const auto [type, header] = ethernet::outline_of(frame);
    const packet_metadata& about = frame.metadata();
    if (about.checksum == packet_checksum::blank) {
        const bool can = (type == ethernet::ipv4 && info.transmit.checksum_ipv4) ||
                         (type == ethernet::ipv6 && info.transmit.checksum_ipv6);
        if (!can || about.checksum_start < header ||
            std::size_t{about.checksum_start} + about.checksum_at + 2 > frame.size())
            return frame_loss::bad_offload;
    }
    if (about.segmentation == packet_segmentation::none)
        return frame.size() > header + info.mtu ? std::optional{frame_loss::too_long} : std::nullopt;
    const bool is_ipv4 = about.segmentation == packet_segmentation::tcp_ipv4;
    const std::uint32_t longest = is_ipv4 ? info.transmit.longest_tcp_ipv4 : info.transmit.longest_tcp_ipv6;
    if (longest == 0 || type != (is_ipv4 ? ethernet::ipv4 : ethernet::ipv6) || about.segment_size == 0 ||
        about.checksum != packet_checksum::blank || about.header_length <= about.checksum_start ||
        about.header_length >= frame.size())
        return frame_loss::bad_offload;
    if (frame.size() > longest || std::size_t{about.header_length} + about.segment_size > header + info.mtu)
        return frame_loss::too_long;
    return std::nullopt;
}

}  // namespace halvm
