// SPDX-License-Identifier: BSD-3-Clause
// How the bytes of a program's request come into a request to a disk's back end: where they lie, when the back end may
// have that memory, else through pages of the device's own.
#pragma once

#include <halvm/device/block.hpp>
#include <halvm/device/block_pieces.hpp>
#include <halvm/xen/block_queue.hpp>
#include <halvm/xen/device_memory.hpp>
#include <halvm/xen/frontend.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace halvm::xen {

template <Platform Domain>
class block_data {
    using part = block_part<Domain>;

public:
    explicit block_data(const basic_mechanisms<Domain>& mechanisms) noexcept : mechanisms_{mechanisms} {}

    /// What may be granted to `peer` from now on, which was used by nobody else. Buffers of another peer's are as any
    /// memory of the program's.
    void grant_to(domid peer) {
        if (!memory_ || memory_->peer() != peer)
            memory_ = std::make_shared<device_memory<Domain>>(mechanisms_.grants, peer);
    }
    /// How requests are made from now on. A back end that is not trusted is granted nothing of the program's; neither
    /// is one that keeps pages mapped, since it would keep them.
    void set(std::uint32_t most_segments, std::uint32_t sector_size, bool persistent, bool trusted) noexcept {
        most_segments_ = most_segments;
        sector_size_ = sector_size;
        lends_ = trusted && !persistent;
        memory_->peer_keeps(persistent);
    }
    /// The back end has kept what it was lent: it is given nothing more that somebody else might use.
    void lend_no_more() noexcept { lends_ = false; }

    [[nodiscard]] device_memory<Domain>& memory() noexcept { return *memory_; }

    /// Adds to `one` what follows `share.offset` in its request, up to `end` and to what a request can hold, and says
    /// in `share` how much that was: nothing when all pages to copy through are in use.
    /// Errors: those of granting, when there is not one such page.
    result<void> fill(part& one, block_share& share, std::uint64_t end) {
        if (share.offset == end)
            return {};
        const std::size_t segments = one.segments.size();
        const std::size_t grants = one.grants.size();
        for_each_piece(*share.request, share.offset, end, [&](std::byte* data, std::size_t size) {
            const std::size_t added = add_direct(one, data, size);
            share.size += added;
            return added;
        });
        if (share.size % sector_size_ == 0 && share.size != 0)
            return {};
        one.segments.resize(segments);
        one.grants.erase(one.grants.begin() + static_cast<std::ptrdiff_t>(grants), one.grants.end());
        return copy(one, share, end);
    }

    /// Copies what was read to where the program wants it, when it does not lie there yet.
    static void copy_back(part& one, const block_share& share) {
        if (share.copied && one.operation == BLKIF_OP_READ)
            copy_data(one, share, [](std::byte* theirs, const std::byte* ours, std::size_t size) {
                std::copy_n(ours, size, theirs);
            });
    }

private:
    /// Adds what it can of a run of memory, without a copy. How much that was.
    std::size_t add_direct(part& one, std::byte* data, std::size_t size) {
        std::size_t added = 0;
        while (added != size && one.segments.size() != most_segments_) {
            std::byte* const at = data + added;
            const std::size_t in_page = reinterpret_cast<std::uintptr_t>(at) % page_size;
            const std::size_t length = std::min(size - added, page_size - in_page);
            if (in_page % block_unit != 0 || length % block_unit != 0)
                break;
            grant_ref ref = memory_->find(at);
            if (ref == grant_ref{}) {
                if (!lends_ || mechanisms_.domain.frame_of(at) == gfn{})
                    break;
                auto grant = grant_access(mechanisms_.grants, memory_->peer(), at,
                                          one.operation == BLKIF_OP_READ ? access::read_write : access::read_only);
                if (!grant)
                    break;
                ref = grant->ref();
                one.grants.push_back(std::move(*grant));
            }
            one.segments.push_back({raw(ref), static_cast<std::uint8_t>(in_page / block_unit),
                                    static_cast<std::uint8_t>((in_page + length) / block_unit - 1)});
            added += length;
        }
        return added;
    }

    /// The same through pages of the device's own, as far as there are any; the share stays empty when there are none.
    result<void> copy(part& one, block_share& share, std::uint64_t end) {
        const std::size_t most = (most_segments_ - one.segments.size()) * page_size;
        const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(end - share.offset, most));
        share.first_copy = one.copies.count();
        auto pages = memory_->take_copies(one.copies, (size + page_size - 1) / page_size);
        if (!pages)
            return failure(pages.error());
        share.size = std::min(size, *pages * page_size);
        if (share.size == 0)
            return {};
        share.copied = true;
        if (one.operation == BLKIF_OP_WRITE)
            copy_data(one, share,
                      [](std::byte* theirs, std::byte* ours, std::size_t count) { std::copy_n(theirs, count, ours); });
        for (std::size_t at = 0; at < share.size; at += page_size)
            one.segments.push_back({raw(one.copies.ref(share.first_copy + at / page_size)), 0,
                                    static_cast<std::uint8_t>(std::min(page_size, share.size - at) / block_unit - 1)});
        return {};
    }

    /// Calls `move(theirs, ours, size)` for the data of a share.
    template <class Move>
    static void copy_data(part& one, const block_share& share, Move move) {
        std::size_t at = 0;
        for_each_piece(*share.request, share.offset, share.offset + share.size,
                       [&](std::byte* theirs, std::size_t size) {
                           for (std::size_t done = 0; done != size;) {
                               const std::size_t here = std::min(size - done, page_size - at % page_size);
                               const bytes page = one.copies.page(share.first_copy + at / page_size);
                               move(theirs + done, page.data() + at % page_size, here);
                               done += here;
                               at += here;
                           }
                           return size;
                       });
    }

    basic_mechanisms<Domain> mechanisms_;
    std::shared_ptr<device_memory<Domain>> memory_;
    std::uint32_t most_segments_ = 0;
    std::uint32_t sector_size_ = block_unit;
    bool lends_ = false;
};

}  // namespace halvm::xen
