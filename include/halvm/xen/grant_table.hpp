// SPDX-License-Identifier: BSD-3-Clause
// The grant table of a domain: which of its pages which other domain may use. Here are the references and what becomes
// of those that a peer does not let go; granting, mapping, copying and transferring are headers of their own.
//
// The table grows on demand, as far as Xen lets it. Which references are free is known in private memory only, so that
// nothing a peer does can corrupt it. A reference whose page the peer still has mapped is never used again, nor is the
// page: both are parked, and tried again whenever something new is granted. [xen/grant_table.h]
#pragma once

#include <halvm/contract.hpp>
#include <halvm/xen/grant_entries.hpp>
#include <halvm/xen/platform.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace halvm::xen {

struct grant_statistics {
    std::uint32_t limit;       ///< references that Xen would let the domain have; 0 until the first grant
    std::uint32_t capacity;    ///< references that the table has room for now
    std::uint32_t in_use;      ///< references that have an owner
    std::uint32_t parked;      ///< references without an owner that a peer still uses
    std::size_t parked_pages;  ///< pages that cannot be freed because of these
    std::size_t mapped;        ///< pages of other domains that are mapped here
    std::size_t stuck;         ///< pages of windows that Xen refused to unmap; their addresses are lost
};

/// Something that its owner has given up and a peer has not: kept by the table until retry() says that it is over.
class parked_grants {
public:
    parked_grants() noexcept = default;
    parked_grants(const parked_grants&) = delete;
    parked_grants& operator=(const parked_grants&) = delete;
    virtual ~parked_grants() = default;
    /// True when the peer has let go of everything; the object is destroyed then.
    virtual bool retry() noexcept = 0;

private:
    template <Platform Domain>
    friend class basic_grant_table;
    parked_grants* next_ = nullptr;
    std::size_t pages_ = 0;
};

template <Platform Domain>
class basic_grant_table {
public:
    /// Asks Xen for nothing until something is granted. `domain` must outlive the table.
    explicit basic_grant_table(Domain& domain) noexcept : domain_{&domain} {}
    /// Pre: no reference has an owner. What is parked stays a peer's for good.
    ~basic_grant_table() {
        collect();
        Expects(statistics_.in_use == 0);
        while (parked_ != nullptr)
            delete std::exchange(parked_, parked_->next_);
        close();
    }
    basic_grant_table(const basic_grant_table&) = delete;
    basic_grant_table& operator=(const basic_grant_table&) = delete;

    [[nodiscard]] Domain& domain() const noexcept { return *domain_; }
    [[nodiscard]] const grant_statistics& statistics() const noexcept { return statistics_; }
    [[nodiscard]] bool version_2() const noexcept { return wants_2_; }

    /// Changes the table to version 2, whose entries can give access to parts of a page, and pass on what another
    /// domain granted. Errors: device_or_resource_busy while any reference is in use or parked; what Xen answers where
    /// its administrator allows version 1 only.
    result<void> use_version_2() {
        if (wants_2_)
            return {};
        if (statistics_.in_use + statistics_.parked != 0)
            return failure(hypercall_error(-XEN_EBUSY, "use version 2 of the grant table: {} references are in use",
                                           statistics_.in_use + statistics_.parked));
        close();
        gnttab_set_version_t request{2};
        if (const long status = operation(GNTTABOP_set_version, &request); status < 0)
            return failure(hypercall_error(status, "use version 2 of the grant table"));
        wants_2_ = true;
        return {};
    }

    /// Tries to revoke everything that is parked. Returns how many references remain so.
    std::uint32_t collect() noexcept {
        for (auto left = lone_count_; left != 0; --left)
            retry_lone();
        parked_grants* last = nullptr;
        for (parked_grants* one = std::exchange(parked_, nullptr); one != nullptr;) {
            parked_grants* const next = std::exchange(one->next_, nullptr);
            if (!let_go(one)) {
                (last == nullptr ? parked_ : last->next_) = one;
                last = one;
            }
            one = next;
        }
        last_parked_ = last;
        return statistics_.parked;
    }

    // What the owners of grants are made of.

    /// Takes a free reference and makes its entry valid. Errors: no_space_on_device when Xen lets the table grow no
    /// more; value_too_large for a frame that version 1 cannot name; what Xen answers when the table cannot be set up.
    result<grant_ref> publish(domid peer, gfn frame, std::uint16_t flags) {
        auto ref = take(peer);
        if (!ref)
            return ref;
        if (raw(frame) > raw(entries_.last_frame())) {
            give_back(*ref);
            return failure(error{std::make_error_code(std::errc::value_too_large),
                                 "grant a frame to domain {}: version 1 of the grant table has no room for its number",
                                 raw(peer)});
        }
        entries_.publish(*ref, peer, frame, flags);
        return ref;
    }

    /// Takes a free reference, whose entry the caller fills in. Errors: those of publish() but value_too_large.
    result<grant_ref> take(domid peer) {
        retry_one();
        if (free_ == none)
            if (auto grown = grow(peer); !grown)
                return failure(grown.error());
        const grant_ref ref{free_};
        free_ = std::exchange(next_[free_], none);
        ++statistics_.in_use;
        return ref;
    }

    /// Makes the entry invalid and the reference free; false, and neither, while the peer uses the page.
    bool give_back(grant_ref ref) noexcept {
        if (!entries_.revoke(ref))
            return false;
        --statistics_.in_use;
        make_free(ref);
        return true;
    }

    /// The owner of the reference goes while the peer uses the page.
    void park(grant_ref ref) noexcept {
        --statistics_.in_use;
        ++statistics_.parked;
        (last_lone_ == none ? first_lone_ : next_[last_lone_]) = raw(ref);
        next_[raw(ref)] = none;
        last_lone_ = raw(ref);
        ++lone_count_;
    }

    /// The same for as many references, and for pages that they keep from being freed.
    void park(std::unique_ptr<parked_grants> rest, std::uint32_t references, std::size_t pages) noexcept {
        statistics_.in_use -= references;
        statistics_.parked += references;
        statistics_.parked_pages += rest->pages_ = pages;
        (last_parked_ == nullptr ? parked_ : last_parked_->next_) = rest.get();
        last_parked_ = rest.release();
    }

    /// For parked_grants::retry(): as give_back(), of a reference that is parked.
    bool give_back_parked(grant_ref ref) noexcept {
        if (!entries_.revoke(ref))
            return false;
        --statistics_.parked;
        make_free(ref);
        return true;
    }
    /// The reference, whose entry is invalid, is free; `parked` says how it was counted.
    void release(grant_ref ref, bool parked) noexcept {
        --(parked ? statistics_.parked : statistics_.in_use);
        make_free(ref);
    }

    void count_mapped(std::ptrdiff_t pages) noexcept { statistics_.mapped += static_cast<std::size_t>(pages); }
    void count_stuck(std::size_t pages) noexcept { statistics_.stuck += pages; }
    [[nodiscard]] const grant_entries& entries() const noexcept { return entries_; }

    long operation(unsigned which, void* arguments, std::size_t count = 1) noexcept {
        return call(*domain_, __HYPERVISOR_grant_table_op, which, arguments, count);
    }

private:
    // Reference 0 is the console's in any domain, so that it can mean none here.
    static constexpr std::uint32_t none = 0;
    static constexpr std::size_t statuses_per_page = page_size / sizeof(grant_status_t);

    [[nodiscard]] std::size_t status_pages(std::size_t pages) const noexcept {
        return wants_2_ ? (pages * (page_size / sizeof(grant_entry_v2_t)) + statuses_per_page - 1) / statuses_per_page
                        : 0;
    }

    void make_free(grant_ref ref) noexcept { next_[raw(ref)] = std::exchange(free_, raw(ref)); }

    bool let_go(parked_grants* one) noexcept {
        if (!one->retry())
            return false;
        statistics_.parked_pages -= one->pages_;
        delete one;
        return true;
    }

    /// One thing that is parked, so that granting stays O(1).
    void retry_one() noexcept {
        if (lone_count_ != 0)
            retry_lone();
        if (parked_grants* const one = parked_; one != nullptr) {
            parked_ = std::exchange(one->next_, nullptr);
            if (parked_ == nullptr)
                last_parked_ = nullptr;
            if (!let_go(one)) {
                (last_parked_ == nullptr ? parked_ : last_parked_->next_) = one;
                last_parked_ = one;
            }
        }
    }

    void retry_lone() noexcept {
        const grant_ref ref{first_lone_};
        first_lone_ = next_[first_lone_];
        if (first_lone_ == none)
            last_lone_ = none;
        --lone_count_;
        if (give_back_parked(ref))
            return;
        --statistics_.parked;
        ++statistics_.in_use;
        park(ref);
    }

    /// Learns how far the table may grow, and takes addresses for all of it.
    result<void> open() {
        gnttab_query_size_t request{};
        request.dom = DOMID_SELF;
        if (const long status = operation(GNTTABOP_query_size, &request); status < 0)
            return failure(hypercall_error(status, "ask for the size of the grant table"));
        if (request.status != GNTST_okay)
            return failure(grant_error(request.status, "ask for the size of the grant table"));
        pages_limit_ = request.max_nr_frames;
        window_pages_ = pages_limit_ + status_pages(pages_limit_);
        window_ = static_cast<std::byte*>(domain_->open_window(window_pages_));
        if (window_ == nullptr)
            return failure(error{std::make_error_code(std::errc::not_enough_memory),
                                 "find addresses for the grant table's {} pages",
                                 static_cast<std::uint32_t>(window_pages_)});
        entries_ = {window_, wants_2_ ? window_ + pages_limit_ * page_size : nullptr};
        statistics_.limit = static_cast<std::uint32_t>(pages_limit_ * entries_.entries_per_page());
        return {};
    }

    void close() noexcept {
        if (window_ == nullptr)
            return;
        for (; pages_ != 0; --pages_)
            domain_->unmap_frame(window_ + (pages_ - 1) * page_size);
        for (; status_pages_ != 0; --status_pages_)
            domain_->unmap_frame(window_ + (pages_limit_ + status_pages_ - 1) * page_size);
        domain_->close_window(std::exchange(window_, nullptr), window_pages_);
        entries_ = {};
        statistics_.limit = statistics_.capacity = 0;
        free_ = none;
        next_.clear();
    }

    /// One more page of entries.
    result<void> grow(domid peer) {
        if (window_ == nullptr)
            if (auto opened = open(); !opened)
                return opened;
        if (pages_ == pages_limit_)
            return failure(grant_error(GNTST_no_space,
                                       "grant to domain {}: all {} references of the grant table are taken", raw(peer),
                                       statistics_.capacity));
        // Room to remember the references in comes first: what Xen has given cannot be returned.
        const auto per_page = entries_.entries_per_page();
        const auto first = static_cast<std::uint32_t>(pages_ * per_page);
        next_.resize(first + per_page);

        std::vector<xen_pfn_t> frames(pages_ + 1);
        gnttab_setup_table_t request{};
        request.dom = DOMID_SELF;
        request.nr_frames = static_cast<std::uint32_t>(frames.size());
        set_xen_guest_handle(request.frame_list, frames.data());
        if (const long status = operation(GNTTABOP_setup_table, &request); status < 0)
            return failure(hypercall_error(status, "make the grant table {} pages long", request.nr_frames));
        if (request.status != GNTST_okay)
            return failure(grant_error(request.status, "make the grant table {} pages long", request.nr_frames));
        if (const long status = domain_->map_frame(window_ + pages_ * page_size, gfn{frames.back()}); status < 0)
            return failure(hypercall_error(status, "map page {} of the grant table", request.nr_frames));
        if (auto mapped = map_status(frames.size()); !mapped) {
            domain_->unmap_frame(window_ + pages_ * page_size);
            return mapped;
        }
        ++pages_;
        statistics_.capacity = first + per_page;
        // Backwards, so that low references are given out first.
        for (auto ref = first + per_page; ref-- != std::max(first, std::uint32_t{GNTTAB_NR_RESERVED_ENTRIES});)
            make_free(grant_ref{ref});
        return {};
    }

    /// The pages in which version 2 keeps the statuses of `pages` pages of entries.
    result<void> map_status(std::size_t pages) {
        const auto wanted = status_pages(pages);
        if (wanted <= status_pages_)
            return {};
        std::vector<std::uint64_t> frames(wanted);
        gnttab_get_status_frames_t request{};
        request.dom = DOMID_SELF;
        request.nr_frames = static_cast<std::uint32_t>(wanted);
        set_xen_guest_handle(request.frame_list, frames.data());
        if (const long status = operation(GNTTABOP_get_status_frames, &request); status < 0)
            return failure(hypercall_error(status, "find the grant table's {} pages of statuses", request.nr_frames));
        if (request.status != GNTST_okay)
            return failure(
                grant_error(request.status, "find the grant table's {} pages of statuses", request.nr_frames));
        for (; status_pages_ != wanted; ++status_pages_)
            if (const long status = domain_->map_frame(window_ + (pages_limit_ + status_pages_) * page_size,
                                                       gfn{frames[status_pages_]});
                status < 0)
                return failure(hypercall_error(status, "map page {} of the grant table's statuses", request.nr_frames));
        return {};
    }

    Domain* domain_;
    bool wants_2_ = false;
    grant_entries entries_;
    std::byte* window_ = nullptr;  // the table's pages, then the statuses'
    std::size_t window_pages_ = 0;
    std::size_t pages_limit_ = 0;
    std::size_t pages_ = 0;
    std::size_t status_pages_ = 0;
    // The reference behind each one in the list that it is in: of the free ones, or of the parked ones.
    std::vector<std::uint32_t> next_;
    std::uint32_t free_ = none;
    std::uint32_t first_lone_ = none;
    std::uint32_t last_lone_ = none;
    std::uint32_t lone_count_ = 0;
    parked_grants* parked_ = nullptr;
    parked_grants* last_parked_ = nullptr;
    grant_statistics statistics_{};
};

}  // namespace halvm::xen
