// SPDX-License-Identifier: BSD-3-Clause
// IPv4 for a host: what comes is checked and given up, what goes gets a header; fragments both ways, and how much a
// path carries. [rfc791] [rfc1122 3] [rfc1191] [rfc5722]
#pragma once

#include <halvm/net/alarm.hpp>
#include <halvm/net/fixed_table.hpp>
#include <halvm/net/held_packets.hpp>
#include <halvm/net/ip.hpp>
#include <halvm/net/limits.hpp>
#include <halvm/net/wire/ipv4.hpp>

#include <array>

namespace halvm::net {

class ipv4_layer;

/// Puts datagrams together. Fragments that overlap end the whole datagram, and what else comes of it: nobody sends
/// such, but who wants to get past a filter. [rfc5722 4] One that merely comes twice does not.
class ipv4_reassembly {
public:
    ipv4_reassembly(ipv4_layer& own, stack& in);
    ~ipv4_reassembly();

    /// Takes the fragment; the whole datagram when it was the last one that was missing.
    std::optional<ip_datagram> add(ip_datagram fragment, const wire::ipv4_view& header);
    [[nodiscard]] std::size_t held() const noexcept { return held_.held(); }

private:
    struct name {
        ipv4_address source;
        ipv4_address destination;
        std::uint16_t identification = 0;
        ip_protocol protocol = ip_protocol::udp;
        std::uint16_t in = 0;
        friend bool operator==(const name&, const name&) noexcept = default;
    };
    struct name_hash {
        std::size_t operator()(const name& one) const noexcept {
            return reading::mix(one.source.bits() ^ static_cast<std::uint64_t>(one.destination.bits()) << 16 ^
                                one.identification);
        }
    };
    struct entry : alarm {
        entry() noexcept : alarm{[](alarm& one) noexcept { static_cast<entry&>(one).due(); }} {}
        void due() noexcept { own->expire(*this); }

        name key;
        ipv4_reassembly* own = nullptr;
        held_packet* pieces = nullptr;  // in their order; the first one has its header
        std::uint32_t size = 0;         // of the whole payload; 0 while the last one is missing
        bool spoiled = false;
        ip_datagram first;  // what is known of the first one, without its packet
    };

    void expire(entry& one) noexcept;
    void empty(entry& one) noexcept;
    void drop(entry& one) noexcept;
    std::optional<ip_datagram> join(entry& one);

    ipv4_layer& ipv4_;
    stack& stack_;
    fixed_table<entry, name_hash> table_;
    held_packets held_;
};

class ipv4_layer final : public ip_layer, public link_protocol_handler {
public:
    [[gnu::cold]] explicit ipv4_layer(stack& own);

    void receive(const frame_origin& from, packet payload) override;
    void receive_own(packet whole) override;
    result<void> send(const path& way, const ip_sending& how, packet payload) override;
    void undeliverable(packet whole) override;
    std::uint32_t path_mtu(const ip_address& destination, std::uint32_t link) override;
    /// A router says that no more gets through; what counts from now on. [rfc1191 6.3]
    std::uint32_t reduce_path_mtu(const ip_address& destination, std::optional<std::uint16_t> said,
                                  std::size_t datagram);

private:
    friend class ipv4_reassembly;

    struct known_mtu {
        ip_address key;
        std::uint32_t mtu = 0;
        fiber::instant until = 0;
    };

    void check(interface& in, bool link_group, packet payload);
    void deliver(ip_datagram in);
    result<void> send_pieces(const path& way, wire::ipv4_header header, packet payload);
    result<void> send_piece(const path& way, const wire::ipv4_header& header, packet payload);
    std::uint16_t next_identification(const ip_address& destination) noexcept;

    stack& stack_;
    ipv4_reassembly reassembly_;
    fixed_table<known_mtu, std::hash<ip_address>> path_mtus_;
    std::array<std::uint16_t, 64> identifications_;
    std::uint64_t secret_;
};

}  // namespace halvm::net
