// SPDX-License-Identifier: BSD-3-Clause
// The memory of a NIC's packets. What is sent lies in pages that the back end may read as long as the device lives;
// what is received, in pages that it may write to until it has, each for itself. What a back end does not let go of
// is kept from being used again, page by page, until it does.
#pragma once

#include <halvm/device/packet.hpp>
#include <halvm/device/packet_pool.hpp>
#include <halvm/fiber/scheduler.hpp>
#include <halvm/xen/grant_access.hpp>

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace halvm::xen {

/// Something that lies in pages which a peer still has mapped.
template <Platform Domain, class Kept>
class kept_for_peer final : public parked_grants {
public:
    kept_for_peer(basic_grant_table<Domain>& table, std::vector<grant_ref> refs, Kept kept)
        : table_{table}, refs_{std::move(refs)}, kept_{std::make_unique<Kept>(std::move(kept))} {}
    /// A table that goes leaves what is still mapped to the peer.
    ~kept_for_peer() override {
        if (!refs_.empty())
            static_cast<void>(kept_.release());
    }
    bool retry() noexcept override {
        std::erase_if(refs_, [&](grant_ref ref) { return table_.give_back_parked(ref); });
        return refs_.empty();
    }

private:
    basic_grant_table<Domain>& table_;
    std::vector<grant_ref> refs_;
    std::unique_ptr<Kept> kept_;
};

/// Gives up something together with references to its pages that could not be ended.
template <Platform Domain, class Kept>
void keep_for_peer(basic_grant_table<Domain>& table, std::vector<grant_ref> refs, Kept kept) {
    const auto count = static_cast<std::uint32_t>(refs.size());
    table.park(std::make_unique<kept_for_peer<Domain, Kept>>(table, std::move(refs), std::move(kept)), count, count);
}

template <Platform Domain>
class net_memory final : public packet_memory {
public:
    /// Zeroed. Errors: std::errc::not_enough_memory.
    static result<std::unique_ptr<net_memory>> make(basic_grant_table<Domain>& table, const packet_pool_shape& shape) {
        auto pages = allocate_pages(table.domain(), (shape.bytes_in_all() + page_size - 1) / page_size);
        if (!pages)
            return failure(pages.error());
        return std::make_unique<net_memory>(table, std::move(*pages));
    }
    net_memory(basic_grant_table<Domain>& table, basic_pages<Domain> pages) noexcept
        : table_{table}, pages_{std::move(pages)} {}
    ~net_memory() override {
        if (!revoke())
            keep_for_peer(table_, std::move(refs_), std::move(pages_));
    }

    [[nodiscard]] bytes run() noexcept override { return pages_.bytes(); }
    void returned() noexcept override {
        if (wanting_ != nullptr)
            fiber::this_scheduler().signal_all(*wanting_);
    }
    /// Who waits for memory that comes back; nullptr for nobody.
    void tell(fiber::wait_queue* wanting) noexcept { wanting_ = wanting; }

    /// Lets the peer read all of it. Errors: those of basic_grant_table::publish(), and nothing is granted.
    result<void> grant(domid peer) {
        refs_.reserve(pages_.count());
        for (std::size_t i = 0; i < pages_.count(); ++i) {
            auto ref = table_.publish(
                peer, pages_.frame(i),
                static_cast<std::uint16_t>(GTF_permit_access | static_cast<unsigned>(access::read_only)));
            if (!ref) {
                static_cast<void>(revoke());
                return failure(ref.error());
            }
            refs_.push_back(*ref);
        }
        granted_ = true;
        return {};
    }
    /// Ends that; what is still mapped ends when this does. False when there is some.
    bool revoke() noexcept {
        granted_ = false;
        std::erase_if(refs_, [&](grant_ref ref) { return table_.give_back(ref); });
        return refs_.empty();
    }
    /// The reference of the page that `data` lies in; 0 when it is not granted. Pre: it lies here.
    [[nodiscard]] grant_ref find(const std::byte* data) const noexcept {
        return granted_ ? refs_[static_cast<std::size_t>(data - pages_.data()) / page_size] : grant_ref{};
    }
    [[nodiscard]] std::size_t pages() const noexcept { return pages_.count(); }

private:
    basic_grant_table<Domain>& table_;
    basic_pages<Domain> pages_;
    std::vector<grant_ref> refs_;
    bool granted_ = false;
    fiber::wait_queue* wanting_ = nullptr;
};

}  // namespace halvm::xen
