// SPDX-License-Identifier: BSD-3-Clause
// The ring of a NIC's queue that frames go out by: a slot for each run of memory within a page, the first of which
// may be followed by one of extra information. [xen/io/netif.h]
#pragma once

#include <halvm/device/nic.hpp>
#include <halvm/xen/net_memory.hpp>
#include <halvm/xen/pending_table.hpp>
#include <halvm/xen/ring.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

namespace halvm::xen {

/// The parts of a frame that a back end is given: none of them crosses a page.
struct net_parts {
    struct part {
        const std::byte* data;
        std::uint16_t size;
        grant_ref standing;  ///< of memory that it sees anyway; 0 when it is to be granted
    };
    std::array<part, XEN_NETIF_NR_SLOTS_MIN> list;
    std::size_t count = 0;
    bool too_many = false;
    bool foreign = false;  ///< some of them are to be granted

    /// Adds a run of memory.
    template <class Find>
    void add(const packet_slice& piece, Find standing) {
        for (std::size_t at = 0; at != piece.size && !too_many;) {
            const std::byte* const data = piece.data + at;
            const std::size_t in_page = reinterpret_cast<std::uintptr_t>(data) % page_size;
            const std::size_t size = std::min(piece.size - at, page_size - in_page);
            if (count == list.size()) {
                too_many = true;
                return;
            }
            const grant_ref ref = standing(piece.storage, data);
            foreign |= ref == grant_ref{};
            list[count++] = {data, static_cast<std::uint16_t>(size), ref};
            at += size;
        }
    }
};

template <Platform Domain>
class net_tx {
public:
    /// `ring` is one page that is shared with the peer.
    net_tx(basic_grant_table<Domain>& table, basic_shared_pages<Domain> ring)
        : table_{table},
          shared_{std::move(ring)},
          ring_{shared_.bytes()},
          frames_{ring_.slots()},
          slots_{ring_.slots()} {}
    /// Whatever was not answered is given up.
    ~net_tx() {
        slots_.for_each([&](std::uint32_t, const slot& one) {
            if (!end(one))
                frames_.find(one.frame)->stuck.push_back(one.granted);
        });
        frames_.for_each([&](std::uint32_t, frame& one) { let_go(std::move(one)); });
    }
    net_tx(const net_tx&) = delete;
    net_tx& operator=(const net_tx&) = delete;

    [[nodiscard]] grant_ref ref() const noexcept { return shared_.refs()[0]; }
    [[nodiscard]] std::uint32_t room() const noexcept { return ring_.room(); }
    /// Slots without an answer.
    [[nodiscard]] std::uint32_t unanswered() const noexcept { return ring_.unanswered(); }
    /// Frames without an answer.
    [[nodiscard]] std::uint32_t pending() const noexcept { return frames_.pending(); }

    /// Puts a frame into the ring, which keeps its memory until the back end has let go of it; publish() shows it.
    /// Pre: there is room for its parts and one more; they are of this frame, which is of 65535 bytes at most.
    /// Errors: those of granting, and the frame is as it was.
    result<void> push(packet& data, const net_parts& parts) {
        std::array<grant_ref, XEN_NETIF_NR_SLOTS_MIN> refs{};
        for (std::size_t i = 0; i != parts.count; ++i) {
            const auto& part = parts.list[i];
            if (part.standing != grant_ref{})
                continue;
            auto ref = table_.publish(
                shared_.peer(), table_.domain().frame_of(part.data),
                static_cast<std::uint16_t>(GTF_permit_access | static_cast<unsigned>(access::read_only)));
            if (!ref) {
                // Nobody has been told of the others.
                for (std::size_t done = 0; done != i; ++done)
                    if (refs[done] != grant_ref{})
                        table_.give_back(refs[done]);
                return failure(ref.error());
            }
            refs[i] = *ref;
        }
        const packet_metadata about = data.metadata();
        const std::size_t total = data.size();
        const bool joined = about.segmentation != packet_segmentation::none;
        const std::uint32_t whole = frames_.add({.data = std::move(data), .slots = static_cast<unsigned>(parts.count)});
        for (std::size_t i = 0; i != parts.count; ++i) {
            const auto& part = parts.list[i];
            unsigned flags = i + 1 != parts.count ? NETTXF_more_data : 0;
            if (i == 0 && about.checksum == packet_checksum::blank)
                flags |= NETTXF_csum_blank | NETTXF_data_validated;
            if (i == 0 && joined)
                flags |= NETTXF_extra_info;
            const auto ref = part.standing != grant_ref{} ? part.standing : refs[i];
            ring_.push({.gref = raw(ref),
                        .offset = static_cast<std::uint16_t>(reinterpret_cast<std::uintptr_t>(part.data) % page_size),
                        .flags = static_cast<std::uint16_t>(flags),
                        .id = static_cast<std::uint16_t>(slots_.add({whole, refs[i]})),
                        // The first one says how long the frame is.
                        .size = static_cast<std::uint16_t>(i == 0 ? total : part.size)});
            if (i != 0 || !joined)
                continue;
            netif_extra_info_t extra{};
            extra.type = XEN_NETIF_EXTRA_TYPE_GSO;
            extra.u.gso.size = about.segment_size;
            extra.u.gso.type = about.segmentation == packet_segmentation::tcp_ipv4 ? XEN_NETIF_GSO_TYPE_TCPV4
                                                                                   : XEN_NETIF_GSO_TYPE_TCPV6;
            push_extra(extra);
        }
        return {};
    }

    /// Tells the back end something that is no frame. Pre: there is room for 2.
    void push(const netif_extra_info_t& what) {
        const std::uint32_t whole = frames_.add({.data = {}, .slots = 1});
        ring_.push({.gref = 0,
                    .offset = 0,
                    .flags = NETTXF_extra_info,
                    .id = static_cast<std::uint16_t>(slots_.add({whole, grant_ref{}})),
                    .size = 0});
        push_extra(what);
    }

    /// True when the back end is to be told.
    [[nodiscard]] bool publish() noexcept { return ring_.publish(); }
    [[nodiscard]] std::uint32_t produced() const noexcept { return ring_.produced(); }

    /// Takes all answers, lets go of what they are of, and counts what failed. How many there were.
    /// Errors: std::errc::protocol_error when the back end breaks the rules.
    result<std::size_t> drain(nic_traffic& traffic) {
        for (std::size_t count = 0;; ++count) {
            netif_tx_response_t answer{};
            const auto there = ring_.take(answer);
            if (!there)
                return failure(there.error());
            if (!*there)
                return count;
            if (answer.status == NETIF_RSP_NULL) {
                if (extras_ == 0)
                    return detail::ring_broken(
                        "transmit: the back end answers nothing, and more often than it was asked");
                --extras_;
                continue;
            }
            const auto one = slots_.take(answer.id);
            if (!one)
                return detail::ring_broken("transmit: the back end answered a request that nobody made");
            frame& whole = *frames_.find(one->frame);
            if (!end(*one))
                whole.stuck.push_back(one->granted);
            whole.failed |= answer.status != NETIF_RSP_OKAY;
            if (--whole.slots != 0)
                continue;
            if (whole.failed)
                traffic.count(frame_loss::device_error);
            let_go(std::move(*frames_.take(one->frame)));
        }
    }

private:
    struct frame {
        packet data{};
        unsigned slots = 0;  ///< without an answer
        bool failed = false;
        std::vector<grant_ref> stuck{};  ///< answered, but still mapped
    };
    struct slot {
        std::uint32_t frame;
        grant_ref granted;  ///< 0 when it is standing
    };

    void push_extra(const netif_extra_info_t& what) {
        netif_tx_request_t place{};
        static_assert(sizeof place >= sizeof what);
        std::memcpy(&place, &what, sizeof what);
        ring_.push(place);
        ++extras_;
    }
    /// False when the back end has it mapped still.
    bool end(const slot& one) noexcept { return one.granted == grant_ref{} || table_.give_back(one.granted); }
    void let_go(frame one) {
        if (!one.stuck.empty())
            keep_for_peer(table_, std::move(one.stuck), std::move(one.data));
    }

    basic_grant_table<Domain>& table_;
    basic_shared_pages<Domain> shared_;
    front_ring<netif_tx_request_t, netif_tx_response_t> ring_;
    pending_table<frame> frames_;
    pending_table<slot> slots_;
    std::uint32_t extras_ = 0;
};

}  // namespace halvm::xen
