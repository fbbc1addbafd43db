// SPDX-License-Identifier: BSD-3-Clause
// The ring of a NIC's queue that frames come in by. Empty pages go out, each granted for itself, and come back with
// data in the order in which they went; a frame is one slot or several, and its first one may be followed by slots of
// extra information. [xen/io/netif.h]
//
// A page goes up as a packet's memory once the back end has lost access to it: what is looked at then stays as it is.
// Short frames are copied instead, and their page goes out again as it is, still granted.
#pragma once

#include <halvm/device/nic.hpp>
#include <halvm/xen/net_headers.hpp>
#include <halvm/xen/net_memory.hpp>
#include <halvm/xen/ring.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

namespace halvm::xen {

/// What a back end may leave to us, and how frames are taken.
struct net_rx_rules {
    nic_offloads offloads{};
    std::uint32_t buffers = 256;  ///< pages in the ring at most
    std::size_t copied = 256;     ///< bytes of a frame that is copied, at most
    std::size_t longest = 0xffff + ethernet::header_size + ethernet::tag_size;
};

template <Platform Domain>
class net_rx {
public:
    /// `ring` is one page that is shared with the peer. `pool`, with large storages of a page, outlives this.
    net_rx(basic_grant_table<Domain>& table, basic_shared_pages<Domain> ring, packet_pool& pool,
           const net_rx_rules& rules)
        : table_{table}, shared_{std::move(ring)}, ring_{shared_.bytes()}, pool_{pool}, rules_{rules} {
        Expects(pool.shape().large == page_size);
        buffers_.resize(ring_.slots());
    }
    /// Whatever is in the ring is lost.
    ~net_rx() {
        for (; taken_ != posted_; ++taken_)
            if (buffer& one = at(taken_); !table_.give_back(one.ref))
                park(one);
    }
    net_rx(const net_rx&) = delete;
    net_rx& operator=(const net_rx&) = delete;

    [[nodiscard]] grant_ref ref() const noexcept { return shared_.refs()[0]; }

    /// Puts empty pages into the ring, as many as are wanted and to be had; publish() shows them.
    void fill() {
        while (posted_ - taken_ < std::min(rules_.buffers, ring_.slots())) {
            auto page = pool_.allocate(page_size, 0);
            if (!page)
                return;
            const bytes memory = page->front();
            // It was a packet's: nobody else is to read that.
            std::fill(memory.begin(), memory.end(), std::byte{});
            auto ref = table_.publish(shared_.peer(), table_.domain().frame_of(memory.data()),
                                      static_cast<std::uint16_t>(GTF_permit_access));
            if (!ref)
                return;
            post({std::move(*page), *ref});
        }
    }
    /// How many pages publish() would show.
    [[nodiscard]] std::uint32_t unpublished() const noexcept { return posted_ - published_; }
    /// True when the back end is to be told.
    [[nodiscard]] bool publish() noexcept {
        published_ = posted_;
        return ring_.publish();
    }
    /// Whether the back end says that there is more than at the last call.
    [[nodiscard]] bool has_news() noexcept {
        const std::uint32_t now = ring_.produced();
        return std::exchange(heard_, now) != now;
    }

    /// Takes the next frame; false when there is none that is whole, and an event will come with the next slot. Frames
    /// that are lost are counted. Errors: std::errc::protocol_error when the back end breaks the rules.
    result<bool> take(packet& into, nic_traffic& traffic) {
        for (;;) {
            netif_rx_response_t slot{};
            const auto there = ring_.take(slot);
            if (!there || !*there)
                return there;
            const std::uint32_t index = taken_++;
            if (const char* wrong = extra_ ? take_extra(index, slot) : take_data(index, slot))
                return detail::ring_broken(wrong);
            if (extra_ || more_)
                continue;
            const auto lost = finish();
            packet frame = std::move(frame_);
            begin_frame();
            if (!lost) {
                traffic.count(frame);
                into = std::move(frame);
                return true;
            }
            traffic.count(*lost);
        }
    }

private:
    // A frame of one slot more than what all agree on, as other front ends allow.
    static constexpr unsigned most_slots = XEN_NETIF_NR_SLOTS_MIN + 1;

    struct buffer {
        packet page;
        grant_ref ref{};
    };

    buffer& at(std::uint32_t index) noexcept { return buffers_[index & (ring_.slots() - 1)]; }

    void post(buffer one) {
        const auto id = static_cast<std::uint16_t>(posted_ & (ring_.slots() - 1));
        ring_.push({.id = id, .pad = 0, .gref = raw(one.ref)});
        at(posted_++) = std::move(one);
    }
    void park(buffer& one) { keep_for_peer(table_, {one.ref}, std::move(one.page)); }

    void begin_frame() noexcept {
        first_ = {};
        gso_.reset();
        lost_.reset();
        slots_ = 0;
    }

    /// Null, or what the back end did wrong.
    const char* take_extra(std::uint32_t index, const netif_rx_response_t& slot) {
        netif_extra_info_t extra{};
        static_assert(sizeof extra == sizeof slot);
        std::memcpy(&extra, &slot, sizeof extra);
        // The page of this place was not used for it.
        post(std::move(at(index)));
        if (extra.type == XEN_NETIF_EXTRA_TYPE_NONE || extra.type >= XEN_NETIF_EXTRA_TYPE_MAX)
            return "receive a frame: the back end adds information of no known kind";
        if (++extras_ == XEN_NETIF_EXTRA_TYPE_MAX)
            return "receive a frame: the back end adds information without end";
        if (extra.type == XEN_NETIF_EXTRA_TYPE_GSO) {
            const bool is_ipv4 = extra.u.gso.type == XEN_NETIF_GSO_TYPE_TCPV4;
            if (extra.u.gso.size == 0 || (!is_ipv4 && extra.u.gso.type != XEN_NETIF_GSO_TYPE_TCPV6))
                return "receive a frame: the back end joined segments of no known kind";
            gso_.emplace(
                gso{is_ipv4 ? packet_segmentation::tcp_ipv4 : packet_segmentation::tcp_ipv6, extra.u.gso.size});
        }
        extra_ = (extra.flags & XEN_NETIF_EXTRA_FLAG_MORE) != 0;
        return nullptr;
    }

    const char* take_data(std::uint32_t index, const netif_rx_response_t& slot) {
        buffer& own = at(index);
        const char* wrong = nullptr;
        if (slot.id != (index & (ring_.slots() - 1)))
            wrong = "receive a frame: the back end answers what it was not asked";
        else if (++slots_ > most_slots)
            wrong = "receive a frame: the back end sends one in too many parts";
        else if (slot.status > 0 && std::size_t{slot.offset} + static_cast<std::size_t>(slot.status) > page_size)
            wrong = "receive a frame: the back end says that it wrote beyond a page";
        if (wrong == nullptr) {
            if (slots_ == 1) {
                first_ = slot;
                extra_ = (slot.flags & NETRXF_extra_info) != 0;
                extras_ = 0;
            }
            more_ = (slot.flags & NETRXF_more_data) != 0;
            if (slot.status < 0)
                lost_ = frame_loss::device_error;
        }
        if (wrong != nullptr || lost_ || slot.status == 0) {
            post(std::move(own));
            return wrong;
        }
        const auto size = static_cast<std::size_t>(slot.status);
        if (slots_ == 1 && !more_ && size <= rules_.copied)
            if (auto copy = pool_.allocate(size, 0)) {
                copy->copy_in(0, own.page.front().subspan(slot.offset, size));
                frame_ = std::move(*copy);
                post(std::move(own));
                return nullptr;
            }
        // From here on it cannot change what we look at.
        if (!table_.give_back(own.ref)) {
            lost_ = frame_loss::device_error;
            park(own);
            return nullptr;
        }
        own.page.trim_back(page_size - slot.offset - size);
        own.page.trim_front(slot.offset);
        frame_.append(std::move(own.page));
        return nullptr;
    }

    /// What is known of the frame; or why it is lost.
    std::optional<frame_loss> finish() {
        if (lost_)
            return lost_;
        if (frame_.size() < ethernet::header_size)
            return frame_loss::too_short;
        if (frame_.size() > rules_.longest)
            return frame_loss::too_long;
        packet_metadata& about = frame_.metadata();
        const bool blank = (first_.flags & NETRXF_csum_blank) != 0 || gso_;
        if (!blank) {
            if ((first_.flags & NETRXF_data_validated) != 0)
                about.checksum = packet_checksum::verified;
            return std::nullopt;
        }
        const net_headers found = headers_of(frame_);
        const bool is_ipv4 = found.type == ethernet::ipv4;
        if (found.protocol == 0 || !(is_ipv4 ? rules_.offloads.checksum_ipv4 : rules_.offloads.checksum_ipv6))
            return frame_loss::bad_offload;
        about.checksum = packet_checksum::blank;
        about.checksum_start = static_cast<std::uint16_t>(found.transport);
        about.checksum_at = static_cast<std::uint16_t>(found.checksum_at);
        if (!gso_)
            return std::nullopt;
        const auto longest = is_ipv4 ? rules_.offloads.longest_tcp_ipv4 : rules_.offloads.longest_tcp_ipv6;
        if (found.protocol != net_headers::tcp || frame_.size() > longest ||
            is_ipv4 != (gso_->kind == packet_segmentation::tcp_ipv4))
            return frame_loss::bad_offload;
        about.segmentation = gso_->kind;
        about.segment_size = gso_->size;
        about.header_length = static_cast<std::uint16_t>(found.end);
        return std::nullopt;
    }

    struct gso {
        packet_segmentation kind;
        std::uint16_t size;
    };

    basic_grant_table<Domain>& table_;
    basic_shared_pages<Domain> shared_;
    front_ring<netif_rx_request_t, netif_rx_response_t> ring_;
    packet_pool& pool_;
    net_rx_rules rules_;
    std::vector<buffer> buffers_;  // by their place in the ring
    std::uint32_t posted_ = 0;
    std::uint32_t published_ = 0;
    std::uint32_t taken_ = 0;
    std::uint32_t heard_ = 0;

    // Of the frame that is being taken.
    packet frame_;
    netif_rx_response_t first_{};
    std::optional<gso> gso_;
    std::optional<frame_loss> lost_;
    unsigned slots_ = 0;
    unsigned extras_ = 0;
    bool extra_ = false;
    bool more_ = false;
};

}  // namespace halvm::xen
