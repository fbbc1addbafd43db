// SPDX-License-Identifier: BSD-3-Clause
// A domain's grant table as it lies in memory that Xen shares: how an entry is published, and how it is taken back
// without a race against a peer that maps it at that moment. Which entries are free is kept elsewhere, in private
// memory. [xen/grant_table.h]
#pragma once

#include <halvm/xen/numbers.hpp>

#include <atomic>
#include <cstdint>

namespace halvm::xen {

/// What a peer may do with a page that is granted to it, or we with one of its pages.
enum class access : std::uint16_t { read_only = GTF_readonly, read_write = 0 };

class grant_entries {
public:
    grant_entries() noexcept = default;
    /// `shared` is where the table is mapped; `status` where version 2 keeps who uses an entry, else nullptr.
    grant_entries(void* shared, void* status) noexcept
        : shared_{shared}, status_{static_cast<grant_status_t*>(status)} {}

    [[nodiscard]] bool version_2() const noexcept { return status_ != nullptr; }
    [[nodiscard]] std::uint32_t entries_per_page() const noexcept {
        return static_cast<std::uint32_t>(page_size /
                                          (version_2() ? sizeof(grant_entry_v2_t) : sizeof(grant_entry_v1_t)));
    }
    /// The greatest frame that an entry has room for.
    [[nodiscard]] gfn last_frame() const noexcept { return gfn{version_2() ? UINT64_MAX : UINT32_MAX}; }

    /// Makes the entry valid: `flags` are a type and what belongs to it.
    void publish(grant_ref at, domid peer, gfn frame, std::uint16_t flags) const noexcept {
        if (version_2()) {
            auto& entry = v2(at);
            entry.full_page.frame = raw(frame);
            entry.full_page.hdr.domid = raw(peer);
        } else {
            auto& entry = v1(at);
            entry.frame = static_cast<std::uint32_t>(raw(frame));
            entry.domid = raw(peer);
        }
        make_valid(at, flags);
    }

    /// The same for `size` bytes at `offset` in the frame. Pre: version 2.
    void publish_part(grant_ref at, domid peer, gfn frame, std::uint16_t offset, std::uint16_t size,
                      std::uint16_t flags) const noexcept {
        auto& entry = v2(at).sub_page;
        entry.frame = raw(frame);
        entry.page_off = offset;
        entry.length = size;
        entry.hdr.domid = raw(peer);
        make_valid(at, flags | GTF_sub_page);
    }

    /// Lets `peer` use what `owner` granted to this domain by `of`. Pre: version 2.
    void publish_onward(grant_ref at, domid peer, domid owner, grant_ref of, std::uint16_t flags) const noexcept {
        auto& entry = v2(at).transitive;
        entry.trans_domid = raw(owner);
        entry.gref = raw(of);
        entry.hdr.domid = raw(peer);
        make_valid(at, flags);
    }

    /// How far a peer is with the frame that an entry invites it to hand over.
    enum class transfer { none, begun, done };
    [[nodiscard]] transfer transferred(grant_ref at) const noexcept {
        // Shared: Xen writes the frame before it says that it is done.
        const auto now = flags(at).load(std::memory_order_acquire);
        if ((now & GTF_transfer_completed) != 0)
            return transfer::done;
        return (now & GTF_transfer_committed) != 0 ? transfer::begun : transfer::none;
    }
    /// The frame that was handed over. Pre: transferred(at) is done.
    [[nodiscard]] gfn transferred_frame(grant_ref at) const noexcept {
        return gfn{version_2() ? v2(at).full_page.frame : v1(at).frame};
    }
    /// Takes the invitation back; false when the peer has accepted it already.
    [[nodiscard]] bool revoke_transfer(grant_ref at) const noexcept {
        auto now = flags(at).load(std::memory_order_relaxed);
        do {
            if ((now & GTF_transfer_committed) != 0)
                return false;
        } while (!flags(at).compare_exchange_weak(now, GTF_invalid));
        return true;
    }
    /// Makes an entry invalid that nobody uses any more.
    void clear(grant_ref at) const noexcept { flags(at).store(GTF_invalid); }

    /// Makes the entry invalid unless the peer uses it; false when it does. In version 2 it is invalid either way, and
    /// false says that what was mapped before still is.
    [[nodiscard]] bool revoke(grant_ref at) const noexcept {
        constexpr unsigned in_use = GTF_reading | GTF_writing;
        if (version_2()) {
            flags(at).store(GTF_invalid);
            // Shared: Xen sets the status, then looks at the flags again; the fence orders our two the other way round.
            std::atomic_thread_fence(std::memory_order_seq_cst);
            return (std::atomic_ref{status_[raw(at)]}.load() & in_use) == 0;
        }
        // Shared: Xen sets the marks of use with a compare-and-exchange on the same word, so that either it sees an
        // invalid entry or we see its mark.
        auto now = flags(at).load(std::memory_order_relaxed);
        do {
            if ((now & in_use) != 0)
                return false;
        } while (!flags(at).compare_exchange_weak(now, GTF_invalid));
        return true;
    }

private:
    [[nodiscard]] grant_entry_v1_t& v1(grant_ref at) const noexcept {
        return static_cast<grant_entry_v1_t*>(shared_)[raw(at)];
    }
    [[nodiscard]] grant_entry_v2_t& v2(grant_ref at) const noexcept {
        return static_cast<grant_entry_v2_t*>(shared_)[raw(at)];
    }
    [[nodiscard]] std::atomic_ref<std::uint16_t> flags(grant_ref at) const noexcept {
        return std::atomic_ref{version_2() ? v2(at).hdr.flags : v1(at).flags};
    }
    void make_valid(grant_ref at, unsigned value) const noexcept {
        // Shared: whoever sees the type sees the frame and the domain that were written before it.
        flags(at).store(static_cast<std::uint16_t>(value), std::memory_order_release);
    }

    void* shared_ = nullptr;
    grant_status_t* status_ = nullptr;
};

static_assert(sizeof(grant_entry_v1_t) == 8 && sizeof(grant_entry_v2_t) == 16);

}  // namespace halvm::xen
