// SPDX-License-Identifier: BSD-3-Clause
// Handing a page over to another domain, frame and all, without a copy. Both sides have as much memory afterwards as
// before: the receiver gives a frame up to make room, the sender gets a fresh one.
// [xen/grant_table.h: GNTTABOP_transfer]
//
// Xen signals nothing when a page has come: peers tell each other, or the receiver looks now and then.
#pragma once

#include <halvm/fiber/scheduler.hpp>
#include <halvm/xen/grant_table.hpp>
#include <halvm/xen/memory.hpp>

#include <cstring>

namespace halvm::xen {

namespace detail {

/// Puts a fresh frame under a page that has none.
template <MemoryPlatform Domain>
bool refill(Domain& domain, void* page) noexcept {
    auto frame = obtain_frame(domain);
    if (!frame)
        return false;
    if (domain.attach_frame(page, *frame) == 0)
        return true;
    give_up_frame(domain, *frame);
    return false;
}

/// A page whose frame is gone, until Xen has another for it.
template <MemoryPlatform Domain>
class page_without_frame final : public parked_grants {
public:
    explicit page_without_frame(Domain& domain) noexcept : domain_{domain} {}
    // What has no frame can be no page for others.
    ~page_without_frame() override { page_.release(); }

    void hold(basic_pages<Domain> page) noexcept { page_ = std::move(page); }
    bool retry() noexcept override {
        if (!refill(domain_, page_.data()))
            return false;
        page_ = {};
        return true;
    }

private:
    Domain& domain_;
    basic_pages<Domain> page_;
};

}  // namespace detail

/// An invitation to one domain to hand one page over.
template <MemoryPlatform Domain>
class basic_transfer_slot {
public:
    basic_transfer_slot() noexcept = default;
    basic_transfer_slot(basic_transfer_slot&&) noexcept = default;
    basic_transfer_slot& operator=(basic_transfer_slot&& other) noexcept {
        std::swap(state_, other.state_);
        return *this;
    }
    /// Takes the invitation back; a page that has come is freed.
    ~basic_transfer_slot() {
        if (state_ == nullptr)
            return;
        auto& table = state_->table;
        table.park(std::move(state_), 1, 1);
        table.collect();
    }

    /// What the peer needs to know.
    [[nodiscard]] grant_ref ref() const noexcept { return state_->ref; }
    [[nodiscard]] domid peer() const noexcept { return state_->peer; }
    explicit operator bool() const noexcept { return state_ != nullptr; }

    /// The page, if it has come: this owns nothing then. Its contents are the peer's.
    /// Errors: resource_unavailable_try_again while it has not.
    result<basic_pages<Domain>> try_take() {
        Expects(state_ != nullptr);
        auto& table = state_->table;
        if (table.entries().transferred(state_->ref) != grant_entries::transfer::done)
            return failure(hypercall_error(-XEN_EAGAIN, "take the page transferred by grant {} from domain {}",
                                           raw(state_->ref), raw(state_->peer)));
        if (const long status = state_->fill(); status < 0)
            return failure(hypercall_error(status, "map the page transferred by grant {} from domain {}",
                                           raw(state_->ref), raw(state_->peer)));
        table.release(state_->ref, false);
        auto page = std::move(state_->page);
        state_.reset();
        return page;
    }

    /// Blocks the fiber until the page has come or the limit ends; it looks once a millisecond.
    /// Errors: resource_unavailable_try_again when the limit came first.
    result<basic_pages<Domain>> take(const fiber::wait_limit& limit = {}) {
        constexpr fiber::instant interval = 1'000'000;
        for (;;) {
            auto taken = try_take();
            if (taken || taken.error().code() != std::errc::resource_unavailable_try_again)
                return taken;
            auto& scheduler = fiber::this_scheduler();
            if (scheduler.now() >= limit.deadline || limit.stop.stop_requested())
                return taken;
            fiber::wait_queue nobody{"page transfer", true};
            scheduler.wait(nobody, {std::min(limit.deadline, scheduler.now() + interval), limit.stop});
        }
    }

private:
    template <MemoryPlatform Any>
    friend result<basic_transfer_slot<Any>> accept_transfer(basic_grant_table<Any>& table, domid peer);

    struct state final : parked_grants {
        state(basic_grant_table<Domain>& of, domid from, basic_pages<Domain> where) noexcept
            : table{of}, peer{from}, page{std::move(where)} {}
        ~state() override {
            if (hole)
                page.release();
        }

        /// Puts the frame that has come where the page is.
        long fill() noexcept {
            const long status = table.domain().attach_frame(page.data(), table.entries().transferred_frame(ref));
            if (status < 0)
                return status;
            hole = false;
            table.entries().clear(ref);
            return 0;
        }

        bool retry() noexcept override {
            if (published) {
                if (!table.entries().revoke_transfer(ref) &&
                    (table.entries().transferred(ref) != grant_entries::transfer::done || fill() != 0))
                    return false;
                published = false;
                table.release(ref, true);
            }
            hole = hole && !detail::refill(table.domain(), page.data());
            return !hole;
        }

        basic_grant_table<Domain>& table;
        domid peer;
        basic_pages<Domain> page;
        grant_ref ref{};
        bool hole = false;
        bool published = false;
    };

    explicit basic_transfer_slot(std::unique_ptr<state> made) noexcept : state_{std::move(made)} {}

    std::unique_ptr<state> state_;
};

/// Invites `peer` to hand over one page.
/// Errors: not_enough_memory; those of basic_grant_table::take(); what Xen answers when it does not take a frame back.
template <MemoryPlatform Domain>
result<basic_transfer_slot<Domain>> accept_transfer(basic_grant_table<Domain>& table, domid peer) {
    using slot = basic_transfer_slot<Domain>;
    auto page = allocate_pages(table.domain(), 1);
    if (!page)
        return failure(page.error());
    auto state = std::make_unique<typename slot::state>(table, peer, std::move(*page));
    auto ref = table.take(peer);
    if (!ref)
        return failure(ref.error());
    auto& domain = table.domain();
    std::byte* const address = state->page.data();
    const gfn frame = domain.detach_frame(address);
    if (const long status = give_up_frame(domain, frame); status < 0) {
        state->hole = domain.attach_frame(address, frame) != 0;
        table.release(*ref, false);
        return failure(hypercall_error(status, "make room for a page of domain {}", raw(peer)));
    }
    state->hole = state->published = true;
    state->ref = *ref;
    table.entries().publish(*ref, peer, gfn{0}, GTF_accept_transfer);
    return slot{std::move(state)};
}

/// Hands `page` over to `peer`, which invited it by `ref`; on success `page` owns nothing. The page must be granted to
/// nobody. Errors: what Xen answers. A page that cannot go, such as one that the peer has mapped, is as before. A peer
/// that did not invite, or has no room, costs the page and what was in it: Xen takes the frame before it looks at the
/// invitation, and then frees it; `page` owns nothing, and the domain gets another frame. Pre: `page` is one page.
template <MemoryPlatform Domain>
result<void> transfer_page(basic_grant_table<Domain>& table, domid peer, grant_ref ref, basic_pages<Domain>& page) {
    Expects(page.count() == 1);
    auto& domain = table.domain();
    auto rest = std::make_unique<detail::page_without_frame<Domain>>(domain);
    const gfn frame = domain.detach_frame(page.data());
    gnttab_transfer_t request{raw(frame), raw(peer), raw(ref), GNTST_general_error};
    const long status = table.operation(GNTTABOP_transfer, &request);
    const bool refused = status < 0 || request.status != GNTST_okay;
    if (!refused || domain.attach_frame(page.data(), frame) != 0) {
        rest->hold(std::exchange(page, basic_pages<Domain>{}));
        table.park(std::move(rest), 0, 1);
        table.collect();
    }
    constexpr auto attempted = "transfer a page by grant {} to domain {}";
    if (status < 0)
        return failure(hypercall_error(status, attempted, raw(ref), raw(peer)));
    if (refused)
        return failure(grant_error(request.status, attempted, raw(ref), raw(peer)));
    return {};
}

}  // namespace halvm::xen
