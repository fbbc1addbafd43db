// SPDX-License-Identifier: BSD-3-Clause
// One ring of a virtual disk: requests out, answers in. What is asked, and what an answer means to whom, is the
// device's business (blkfront.hpp). [xen/io/blkif.h]
//
// The protocol counts in sectors of 512 bytes, whatever the disk's own are; so do the back ends in use.
#pragma once

#include <halvm/device/block.hpp>
#include <halvm/fiber/scheduler.hpp>
#include <halvm/xen/device_memory.hpp>
#include <halvm/xen/event_channel.hpp>
#include <halvm/xen/frontend.hpp>
#include <halvm/xen/pending_table.hpp>
#include <halvm/xen/ring.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace halvm::xen {

inline constexpr std::size_t block_unit = 512;

/// A call of transfer(), until all of it is answered.
struct block_batch {
    std::size_t unanswered = 0;
    fiber::wait_queue done{"disk", true};
};

/// Some bytes of a program's request: what one slot of a ring has of it.
struct block_share {
    block_batch* batch = nullptr;
    block_request* request = nullptr;
    std::uint64_t offset = 0;  ///< of its first byte in the request
    std::size_t size = 0;      ///< 0 for a flush and a discard
    bool copied = false;       ///< through pages of the device's own, from `first_copy` on
    std::size_t first_copy = 0;
};

/// What stands in a slot of a ring: bytes of one request, or of several whose sectors are adjacent, and what the back
/// end was given for them.
template <Platform Domain>
struct block_part {
    std::uint8_t operation = 0;  ///< BLKIF_OP_*
    bool alone = false;          ///< no other request may go with it
    std::uint64_t first = 0;     ///< in units of 512 bytes, as is all that goes into the ring
    std::uint64_t count = 0;     ///< what is read or written; to be discarded
    std::vector<block_share> shares;
    std::vector<blkif_request_segment> segments;
    std::vector<basic_grant<Domain>> grants;  ///< of memory that is the program's
    typename device_memory<Domain>::copies copies;

    /// Empty, for the next use; what it has allocated stays.
    void clear() noexcept {
        alone = false;
        count = 0;
        shares.clear();
        segments.clear();
        grants.clear();
        copies.release();
    }
};

template <Platform Domain>
class block_queue {
public:
    using part = block_part<Domain>;

    /// A ring of 2^`order` pages; `indirect` requests of more segments than a slot holds can be under way at once.
    /// Errors: those of pages, grants and ports.
    static result<std::unique_ptr<block_queue>> open(const basic_mechanisms<Domain>& mechanisms, domid peer,
                                                     unsigned order, std::uint32_t indirect) {
        auto ring = share_pages(mechanisms.grants, peer, std::size_t{1} << order, access::read_write);
        if (!ring)
            return failure(ring.error());
        basic_shared_pages<Domain> tables;
        if (indirect != 0) {
            // It only reads these, but one that keeps pages mapped maps all of them to be written.
            auto made = share_pages(mechanisms.grants, peer, indirect, access::read_write);
            if (!made)
                return failure(made.error());
            tables = std::move(*made);
        }
        auto port = mechanisms.channels.alloc_unbound(peer);
        if (!port)
            return failure(port.error());
        return std::make_unique<block_queue>(std::move(*ring), std::move(tables), indirect, std::move(*port));
    }
    block_queue(basic_shared_pages<Domain> ring, basic_shared_pages<Domain> tables, std::uint32_t indirect,
                basic_port<Domain> port)
        : shared_{std::move(ring)},
          tables_{std::move(tables)},
          port_{std::move(port)},
          ring_{shared_.bytes()},
          pending_{ring_.slots()},
          table_of_(ring_.slots(), none) {
        for (std::uint32_t table = indirect; table-- != 0;)
            free_tables_.push_back(table);
    }

    /// The nodes by which the back end finds it, below `place`: "ring-ref" or "ring-ref0" and so on, "event-channel".
    result<void> describe(transaction& nodes, const std::string& place) const {
        const auto refs = shared_.refs();
        for (std::size_t i = 0; i < refs.size(); ++i) {
            const auto name = refs.size() == 1 ? std::string{"/ring-ref"} : "/ring-ref" + std::to_string(i);
            if (auto done = nodes.write(place + name, raw(refs[i])); !done)
                return done;
        }
        return nodes.write(place + "/event-channel", raw(port_.number()));
    }

    /// Whether a request of so many segments can be pushed now.
    [[nodiscard]] bool room(std::size_t segments) const noexcept {
        return ring_.room() != 0 && !pending_.full() &&
               (segments <= BLKIF_MAX_SEGMENTS_PER_REQUEST || !free_tables_.empty());
    }

    /// Puts a request into the ring; publish() shows it. Pre: there is room for it.
    void push(std::unique_ptr<part> one, blkif_vdev_t disk) {
        const std::uint64_t first = one->first;
        const std::uint64_t count = one->count;
        const std::size_t segments = one->segments.size();
        const auto& list = one->segments;
        const std::uint8_t operation = one->operation;
        const std::uint32_t id = pending_.add(std::move(one));
        blkif_request_t slot{};
        if (operation == BLKIF_OP_DISCARD) {
            const blkif_request_discard_t discard{.operation = operation,
                                                  .flag = 0,
                                                  .handle = disk,
                                                  .id = id,
                                                  .sector_number = first,
                                                  .nr_sectors = count};
            std::memcpy(&slot, &discard, sizeof discard);
        } else if (segments > BLKIF_MAX_SEGMENTS_PER_REQUEST) {
            const std::uint32_t table = free_tables_.back();
            free_tables_.pop_back();
            table_of_[id] = table;
            std::memcpy(tables_.data() + table * page_size, list.data(), segments * sizeof list[0]);
            blkif_request_indirect_t indirect{};
            indirect.operation = BLKIF_OP_INDIRECT;
            indirect.indirect_op = operation;
            indirect.nr_segments = static_cast<std::uint16_t>(segments);
            indirect.id = id;
            indirect.sector_number = first;
            indirect.handle = disk;
            indirect.indirect_grefs[0] = raw(tables_.refs()[table]);
            std::memcpy(&slot, &indirect, sizeof indirect);
        } else {
            slot.operation = operation;
            slot.nr_segments = static_cast<std::uint8_t>(segments);
            slot.handle = disk;
            slot.id = id;
            slot.sector_number = first;
            std::copy(list.begin(), list.end(), slot.seg);
        }
        ring_.push(slot);
    }

    /// Shows the back end what was pushed, and tells it when it asked for that; true when it was told.
    bool publish() noexcept { return ring_.publish() && port_.send().has_value(); }

    /// Calls `answered(std::unique_ptr<part>, std::int16_t status)` for each answer that is there. How many there were.
    /// Errors: std::errc::protocol_error when the back end breaks the rules.
    template <class Answered>
    result<std::size_t> drain(Answered answered) {
        for (std::size_t count = 0;; ++count) {
            blkif_response_t answer{};
            const auto there = ring_.take(answer);
            if (!there)
                return failure(there.error());
            if (!*there)
                return count;
            const auto* const asked = pending_.find(answer.id);
            if (asked == nullptr || (*asked)->operation != answer.operation)
                return failure(error{std::make_error_code(std::errc::protocol_error),
                                     "use a disk: its back end answered a request that nobody made"});
            auto one = pending_.take(answer.id);
            const auto id = static_cast<std::size_t>(answer.id);
            if (const auto table = std::exchange(table_of_[id], none); table != none)
                free_tables_.push_back(table);
            answered(std::move(*one), answer.status);
        }
    }

    /// All requests without an answer, in the order of their ids; none is pending then.
    std::vector<std::unique_ptr<part>> abandon() {
        std::vector<std::unique_ptr<part>> left;
        std::vector<std::uint32_t> ids;
        pending_.for_each([&](std::uint32_t id, auto&) { ids.push_back(id); });
        for (const std::uint32_t id : ids)
            left.push_back(std::move(*pending_.take(id)));
        return left;
    }

    [[nodiscard]] basic_port<Domain>& port() noexcept { return port_; }
    [[nodiscard]] std::uint32_t pending() const noexcept { return pending_.pending(); }
    [[nodiscard]] std::uint32_t slots() const noexcept { return ring_.slots(); }

private:
    static constexpr std::uint32_t none = UINT32_MAX;

    basic_shared_pages<Domain> shared_;
    basic_shared_pages<Domain> tables_;  // a page of segments for each indirect request
    basic_port<Domain> port_;
    front_ring<blkif_request_t, blkif_response_t> ring_;
    pending_table<std::unique_ptr<part>> pending_;
    std::vector<std::uint32_t> free_tables_;
    std::vector<std::uint32_t> table_of_;  // by id
};

}  // namespace halvm::xen
