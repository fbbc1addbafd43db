// SPDX-License-Identifier: BSD-3-Clause
// The data path to the XenStore: one page with a ring of bytes each way, in which messages follow each other without
// regard to its end. What the bytes mean is xenstore.hpp's business. [xen/io/xs_wire.h]
#pragma once

#include <halvm/xen/abi.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace halvm::xen {

/// Keeps its own copy of the indices that are ours; what the other end writes is read once and checked. Never blocks.
class xenstore_ring {
public:
    /// `shared` is the page that both ends see; it must outlive this object. Goes on where the last user of the page
    /// stopped.
    explicit xenstore_ring(xenstore_domain_interface& shared) noexcept
        : shared_{shared},
          put_{load(shared.req_prod)},
          published_{put_},
          taken_{load(shared.rsp_cons)},
          released_{taken_} {}

    /// How many bytes fit now; nothing when the other end's index is impossible.
    [[nodiscard]] std::optional<std::size_t> room() const noexcept {
        const std::uint32_t used = put_ - load(shared_.req_cons);
        if (used > XENSTORE_RING_SIZE)
            return std::nullopt;
        return XENSTORE_RING_SIZE - used;
    }

    /// Adds bytes that the other end does not see yet. Pre: they fit.
    void put(std::string_view text) noexcept {
        for (std::uint32_t size; !text.empty(); text.remove_prefix(size), put_ += size) {
            const std::uint32_t at = MASK_XENSTORE_IDX(put_);
            size = static_cast<std::uint32_t>(std::min<std::size_t>(text.size(), XENSTORE_RING_SIZE - at));
            std::copy_n(text.begin(), size, shared_.req + at);
        }
    }

    /// Shows the other end what was put; true when it must be told, because it may have stopped to look: it had read
    /// all that there was before. Its index is read after ours is there to be seen, as it reads ours after having
    /// moved its own.
    bool publish() noexcept {
        if (put_ == published_)
            return false;
        store(shared_.req_prod, put_);
        std::atomic_thread_fence(std::memory_order_seq_cst);
        const std::uint32_t unread_before = published_ - load(shared_.req_cons);
        published_ = put_;
        return unread_before == 0 || unread_before > XENSTORE_RING_SIZE;
    }

    /// How many bytes are there to take; nothing when the other end's index is impossible.
    [[nodiscard]] std::optional<std::size_t> there() const noexcept {
        const std::uint32_t count = load(shared_.rsp_prod) - taken_;
        if (count > XENSTORE_RING_SIZE - (taken_ - released_))
            return std::nullopt;
        return count;
    }

    /// Copies bytes out of the ring. Pre: there are so many.
    void take(std::span<char> into) noexcept {
        while (!into.empty()) {
            const std::uint32_t at = MASK_XENSTORE_IDX(taken_);
            const auto size = static_cast<std::uint32_t>(std::min<std::size_t>(into.size(), XENSTORE_RING_SIZE - at));
            std::copy_n(shared_.rsp + at, size, into.begin());
            into = into.subspan(size);
            taken_ += size;
        }
    }

    /// Gives the room of what was taken back; true when the other end must be told, because it filled the ring and may
    /// wait for room.
    bool release() noexcept {
        if (taken_ == released_)
            return false;
        store(shared_.rsp_cons, taken_);
        std::atomic_thread_fence(std::memory_order_seq_cst);
        const bool was_full = load(shared_.rsp_prod) - released_ >= XENSTORE_RING_SIZE;
        released_ = taken_;
        return was_full;
    }

    /// True when the other end says that it has given this connection up. [xen/io/xs_wire.h: XENSTORE_ERROR_*]
    [[nodiscard]] bool given_up() const noexcept {
        return (std::atomic_ref{shared_.server_features}.load(std::memory_order_relaxed) &
                XENSTORE_SERVER_FEATURE_ERROR) != 0 &&
               std::atomic_ref{shared_.error}.load(std::memory_order_relaxed) != XENSTORE_ERROR_NONE;
    }

private:
    // Shared: the other end writes these. Acquire pairs with its release, so that the bytes are there before the
    // index says so.
    static std::uint32_t load(XENSTORE_RING_IDX& index) noexcept {
        return std::atomic_ref{index}.load(std::memory_order_acquire);
    }
    static void store(XENSTORE_RING_IDX& index, std::uint32_t value) noexcept {
        std::atomic_ref{index}.store(value, std::memory_order_release);
    }

    xenstore_domain_interface& shared_;
    std::uint32_t put_;
    std::uint32_t published_;
    std::uint32_t taken_;
    std::uint32_t released_;
};

}  // namespace halvm::xen
