// SPDX-License-Identifier: BSD-3-Clause
// What IP of either family and the protocols over it say to each other: a path to a destination, a packet that has
// come, an error about one that was sent.
#pragma once

#include <halvm/device/packet.hpp>
#include <halvm/net/checksum.hpp>
#include <halvm/net/interface.hpp>
#include <halvm/result.hpp>

#include <cstdint>
#include <optional>
#include <system_error>

namespace halvm::net {

[[gnu::cold, gnu::noinline]] inline failure network_failure(std::errc code, const char* attempted) noexcept {
    return failure(error{std::make_error_code(code), attempted});
}

enum class ip_cast : std::uint8_t { unicast, multicast, broadcast };

/// Which way a packet goes, as found once: good as long as stack::generation() is the same.
struct path {
    interface* via = nullptr;
    ip_address source{};
    ip_address destination{};
    ip_address next_hop{};
    std::uint32_t mtu = 0;  ///< of all the way, as far as it is known
    ip_cast cast = ip_cast::unicast;
};

/// What a packet is to be sent with.
struct ip_sending {
    ip_protocol protocol = ip_protocol::udp;
    std::uint8_t ttl = 64;
    std::uint8_t traffic_class = 0;
    bool may_be_fragmented = true;
};

/// One that has come to us, whole: fragments were put together.
struct ip_datagram {
    packet whole{};          ///< from its IP header on, without padding
    std::size_t header = 0;  ///< bytes of that header
    interface* in = nullptr;
    ip_address source{};
    ip_address destination{};
    ip_protocol protocol = ip_protocol::udp;
    std::uint8_t ttl = 0;
    std::uint8_t traffic_class = 0;
    ip_cast cast = ip_cast::unicast;  ///< of the destination
    bool link_group = false;          ///< its frame was to more than one host

    [[nodiscard]] std::size_t payload_size() const noexcept { return whole.size() - header; }
};

/// Why a packet that we sent did not arrive.
enum class ip_problem : std::uint8_t {
    network_unreachable,
    host_unreachable,
    protocol_unreachable,
    port_unreachable,
    too_big,
    prohibited,
    time_exceeded,
    bad_parameter,
};

/// What a socket's calls return then.
inline std::error_code error_code_of(ip_problem what) noexcept {
    switch (what) {
    case ip_problem::network_unreachable: return std::make_error_code(std::errc::network_unreachable);
    case ip_problem::protocol_unreachable: return std::make_error_code(std::errc::no_protocol_option);
    case ip_problem::port_unreachable: return std::make_error_code(std::errc::connection_refused);
    case ip_problem::too_big: return std::make_error_code(std::errc::message_size);
    case ip_problem::bad_parameter: return std::make_error_code(std::errc::protocol_error);
    default: return std::make_error_code(std::errc::host_unreachable);
    }
}

struct ip_error {
    ip_problem problem = ip_problem::host_unreachable;
    ip_protocol protocol = ip_protocol::udp;
    ip_address reporter{};  ///< ourselves, when a neighbour did not answer
    ip_address source{};    ///< of the packet, one of ours
    ip_address destination{};
    std::uint32_t mtu = 0;    ///< too_big: what gets through, as path_mtu() says it now
    const_bytes transport{};  ///< the beginning of the packet's payload, at least 8 bytes
};

/// Why nobody took a datagram; who sent it is told.
enum class ip_refusal : std::uint8_t { no_protocol, no_port };

/// A protocol over IP, which registers itself with stack::attach().
class ip_protocol_handler {
public:
    /// Takes the packet out of `in`, or drops it with a reason of its own; else says why nobody wants it. Is called
    /// by the fiber that received it: must not block.
    virtual std::optional<ip_refusal> receive(ip_datagram& in) = 0;
    /// Must not block. The quoted bytes are whoever's who sent the error.
    virtual void failed(const ip_error& about) = 0;
    /// All packets were given that had come together.
    virtual void batch_ended() {}
    /// Who asked by stack::want_room() can send again.
    virtual void room_made() {}

protected:
    ~ip_protocol_handler() = default;
};

/// IP of one family.
class ip_layer {
public:
    /// Puts a header in front and sends it, in fragments if need be. Never blocks. What finds a queue full or a
    /// neighbour absent is dropped and counted.
    /// Errors: std::errc::message_size when it is too big, and not to be fragmented or more than the family can;
    /// host_unreachable for a neighbour that did not answer just now; network_down without a link;
    /// not_enough_memory.
    virtual result<void> send(const path& way, const ip_sending& how, packet payload) = 0;
    /// A packet, with its header, could not be given to its next hop.
    virtual void undeliverable(packet whole) = 0;
    /// From the loopback interface.
    virtual void receive_own(packet whole) = 0;
    virtual std::uint32_t path_mtu(const ip_address& destination, std::uint32_t link) = 0;

protected:
    ~ip_layer() = default;
};

/// What an Ethernet frame was, when its payload is given up.
struct frame_origin {
    interface& in;
    mac_address source;
    bool to_group = false;
};

/// A protocol over Ethernet.
class link_protocol_handler {
public:
    /// `payload` may end with padding. Must not block.
    virtual void receive(const frame_origin& from, packet payload) = 0;

protected:
    ~link_protocol_handler() = default;
};

}  // namespace halvm::net
