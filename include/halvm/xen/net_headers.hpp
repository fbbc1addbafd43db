// SPDX-License-Identifier: BSD-3-Clause
// How far the headers of a frame reach. A back end says that a checksum is blank but not where it is, and wants all
// headers of what it is sent in one piece; so both directions look. [rfc791 3.1] [rfc8200 4]
#pragma once

#include <halvm/device/nic.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace halvm::xen {

struct net_headers {
    static constexpr std::uint8_t tcp = 6;
    static constexpr std::uint8_t udp = 17;

    std::uint16_t type = 0;       ///< behind a tag, if there is one
    std::uint8_t protocol = 0;    ///< tcp or udp, of a frame that is whole; 0 for all others
    std::size_t transport = 0;    ///< where that begins
    std::size_t checksum_at = 0;  ///< from there on
    std::size_t end = 0;          ///< of all headers that are known; at most the frame's size
};

namespace detail {

/// Reads single fields of a frame, in whatever pieces it is; what is not there is 0, and is_short() from then on.
class header_reader {
public:
    explicit header_reader(const packet& frame) noexcept : frame_{frame} {}

    [[nodiscard]] bool is_short() const noexcept { return short_; }
    unsigned at(std::size_t offset) noexcept {
        std::array<std::byte, 1> octet{};
        if (offset >= frame_.size())
            short_ = true;
        else
            frame_.copy_out(offset, octet);
        return std::to_integer<unsigned>(octet[0]);
    }

private:
    const packet& frame_;
    bool short_ = false;
};

/// The protocol behind an IPv6 header and those that extend it, which `at` is moved behind; 0 for a fragment.
inline unsigned skip_ipv6(header_reader& field, std::size_t& at) noexcept {
    constexpr unsigned hop_by_hop = 0;
    constexpr unsigned routing = 43;
    constexpr unsigned destination = 60;
    constexpr unsigned most = 8;
    unsigned next = field.at(at + 6);
    at += 40;
    for (unsigned i = 0; next == hop_by_hop || next == routing || next == destination; ++i) {
        if (i == most || field.is_short())
            return 0;
        next = field.at(at);
        at += (field.at(at + 1) + 1) * 8;
    }
    return next;
}

}  // namespace detail

/// Pre: the frame has an Ethernet header.
inline net_headers headers_of(const packet& frame) noexcept {
    const auto [type, begin] = ethernet::outline_of(frame);
    net_headers found{.type = type, .end = begin};
    detail::header_reader field{frame};
    std::size_t at = begin;
    unsigned protocol = 0;
    if (type == ethernet::ipv4) {
        const std::size_t size = (field.at(at) & 0xf) * 4;
        // A fragment carries no checksum of its own.
        const bool fragment = ((field.at(at + 6) & 0x3f) | field.at(at + 7)) != 0;
        protocol = fragment || size < 20 ? 0 : field.at(at + 9);
        at += std::max<std::size_t>(size, 20);
    } else if (type == ethernet::ipv6) {
        protocol = detail::skip_ipv6(field, at);
    }
    if (field.is_short() || at > frame.size())
        return found;
    found.end = at;
    if (protocol != net_headers::tcp && protocol != net_headers::udp)
        return found;
    const bool is_tcp = protocol == net_headers::tcp;
    const std::size_t size = is_tcp ? (field.at(at + 12) >> 4) * 4 : 8;
    if (field.is_short() || size < (is_tcp ? 20U : 8U) || size > frame.size() - at)
        return found;
    found.protocol = static_cast<std::uint8_t>(protocol);
    found.transport = at;
    found.checksum_at = is_tcp ? 16 : 6;
    found.end = at + size;
    return found;
}

}  // namespace halvm::xen
