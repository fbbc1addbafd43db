// SPDX-License-Identifier: BSD-3-Clause
// Pages of other domains, mapped at addresses of ours. [xen/grant_table.h: GNTTABOP_map_grant_ref]
//
// Shared: the granting domain can write what is mapped at any moment; copy once, then check.
#pragma once

#include <halvm/bytes.hpp>
#include <halvm/fiber/scheduler.hpp>
#include <halvm/xen/grant_table.hpp>

#include <array>
#include <span>

namespace halvm::xen {

/// How often what Xen calls "try again" is tried again, with other fibers running in between, before it is an error.
inline constexpr unsigned grant_retries = 100;

/// Owns a mapping of pages that another domain granted, at addresses in a row.
template <Platform Domain>
class basic_mapping {
public:
    basic_mapping() noexcept = default;
    basic_mapping(basic_mapping&& other) noexcept { swap(other); }
    basic_mapping& operator=(basic_mapping&& other) noexcept {
        swap(other);
        return *this;
    }
    /// Unmaps. What Xen does not unmap stays mapped, and its addresses are never used again.
    ~basic_mapping() {
        if (window_ == nullptr || unmap())
            return;
        table_->count_mapped(-std::count_if(handles_.begin(), handles_.end(), is_mapped));
        table_->count_stuck(count_);
    }

    [[nodiscard]] halvm::bytes bytes() const noexcept { return {window_, count_ * page_size}; }
    [[nodiscard]] std::byte* data() const noexcept { return window_; }
    /// Whether the page with this index is there; touching one that is not is a page fault. Pre: index < as many pages.
    [[nodiscard]] bool has(std::size_t index) const noexcept {
        Expects(index < count_);
        return is_mapped(handles_[index]);
    }
    explicit operator bool() const noexcept { return window_ != nullptr; }

    /// Unmaps all pages; on success this owns nothing. Errors: what Xen answers, and the pages that it did not unmap
    /// are still mapped.
    result<void> unmap() noexcept {
        Expects(window_ != nullptr);
        std::array<gnttab_unmap_grant_ref_t, batch> requests;
        result<void> done;
        for (std::size_t first = 0; first < count_; first += batch) {
            const auto some = std::min(batch, count_ - first);
            std::size_t asked = 0;
            for (std::size_t i = first; i < first + some; ++i)
                if (is_mapped(handles_[i]))
                    requests[asked++] = {domain().window_address(window_ + i * page_size), 0, handles_[i],
                                         GNTST_general_error};
            if (asked == 0)
                continue;
            const long status = table_->operation(GNTTABOP_unmap_grant_ref, requests.data(), asked);
            if (status < 0 && done)
                done = failure(hypercall_error(status, "unmap {} grants of domain {}",
                                               static_cast<std::uint32_t>(asked), raw(owner_)));
            for (std::size_t i = first, at = 0; i < first + some; ++i) {
                if (!is_mapped(handles_[i]))
                    continue;
                const auto& answer = requests[at++];
                if (answer.status == GNTST_okay) {
                    handles_[i] = nothing;
                    table_->count_mapped(-1);
                } else if (done)
                    done = failure(grant_error(answer.status, "unmap page {} of the grants of domain {}",
                                               static_cast<std::uint32_t>(i), raw(owner_)));
            }
        }
        if (done)
            close();
        return done;
    }

private:
    template <Platform Any>
    friend result<basic_mapping<Any>> map_grants(basic_grant_table<Any>& table, domid owner,
                                                 std::span<const grant_ref> refs, access wanted);
    template <Platform Any>
    friend result<basic_mapping<Any>> map_each_grant(basic_grant_table<Any>& table, domid owner,
                                                     std::span<const grant_ref> refs, access wanted,
                                                     std::span<std::error_code> statuses);

    static constexpr std::size_t batch = 16;  // as much as small stacks bear
    static constexpr grant_handle_t nothing = ~grant_handle_t{0};
    static bool is_mapped(grant_handle_t handle) noexcept { return handle != nothing; }

    basic_mapping(basic_grant_table<Domain>& table, domid owner, std::byte* window, std::size_t count)
        : table_{&table}, owner_{owner}, window_{window}, count_{count}, handles_(count, nothing) {}

    [[nodiscard]] Domain& domain() const noexcept { return table_->domain(); }

    void swap(basic_mapping& other) noexcept {
        std::swap(table_, other.table_);
        std::swap(owner_, other.owner_);
        std::swap(window_, other.window_);
        std::swap(count_, other.count_);
        std::swap(handles_, other.handles_);
    }

    void close() noexcept {
        domain().close_window(std::exchange(window_, nullptr), count_);
        handles_.clear();
    }

    /// Opens a window and maps what it can; `refused(index, why)` hears of each page that cannot be, in no order.
    template <class Refused>
    static result<basic_mapping> make(basic_grant_table<Domain>& table, domid owner, std::span<const grant_ref> refs,
                                      access wanted, Refused refused) {
        Expects(!refs.empty());
        auto* const window = static_cast<std::byte*>(table.domain().open_window(refs.size()));
        if (window == nullptr)
            return failure(error{std::make_error_code(std::errc::not_enough_memory),
                                 "find addresses for {} pages of domain {}", static_cast<std::uint32_t>(refs.size()),
                                 raw(owner)});
        basic_mapping made{table, owner, window, refs.size()};
        const std::uint32_t flags = GNTMAP_host_map | (wanted == access::read_only ? GNTMAP_readonly : 0);
        for (std::size_t first = 0; first < refs.size(); first += batch)
            made.map(first, refs.subspan(first, std::min(batch, refs.size() - first)), flags, refused);
        return made;
    }

    /// Maps as many as one hypercall takes.
    template <class Refused>
    void map(std::size_t first, std::span<const grant_ref> refs, std::uint32_t flags, Refused& refused) {
        std::array<gnttab_map_grant_ref_t, batch> requests;
        std::array<std::size_t, batch> index;
        std::size_t asked = refs.size();
        for (std::size_t i = 0; i < asked; ++i)
            index[i] = i;
        for (unsigned tries = 0; asked != 0; ++tries) {
            for (std::size_t i = 0; i < asked; ++i)
                requests[i] = {domain().window_address(window_ + (first + index[i]) * page_size),
                               flags,
                               raw(refs[index[i]]),
                               raw(owner_),
                               GNTST_general_error,
                               nothing,
                               0};
            const long status = table_->operation(GNTTABOP_map_grant_ref, requests.data(), asked);
            std::size_t again = 0;
            for (std::size_t i = 0; i < asked; ++i) {
                const auto& answer = requests[i];
                if (answer.status == GNTST_okay) {
                    handles_[first + index[i]] = answer.handle;
                    table_->count_mapped(1);
                } else if (answer.status == GNTST_eagain && tries < grant_retries)
                    index[again++] = index[i];
                else
                    refused(first + index[i], status < 0
                                                  ? std::error_code{static_cast<int>(-status), hypercall_category()}
                                                  : std::error_code{answer.status, grant_category()});
            }
            asked = again;
            if (asked != 0)
                fiber::this_scheduler().yield();
        }
    }

    basic_grant_table<Domain>* table_ = nullptr;
    domid owner_{};
    std::byte* window_ = nullptr;
    std::size_t count_ = 0;
    std::vector<grant_handle_t> handles_;
};

/// Maps the pages that `owner` granted to this domain by these references, in their order, as many of them as it can:
/// `statuses` gets what became of each page, and is false where it is mapped. Blocks the fiber while Xen says "try
/// again", at most `grant_retries` turns. Pre: refs is not empty, and statuses has as many.
/// Errors: not_enough_memory when there are no addresses left. Statuses: what Xen answers.
template <Platform Domain>
result<basic_mapping<Domain>> map_each_grant(basic_grant_table<Domain>& table, domid owner,
                                             std::span<const grant_ref> refs, access wanted,
                                             std::span<std::error_code> statuses) {
    Expects(statuses.size() == refs.size());
    std::fill(statuses.begin(), statuses.end(), std::error_code{});
    return basic_mapping<Domain>::make(table, owner, refs, wanted,
                                       [&](std::size_t index, std::error_code why) { statuses[index] = why; });
}

/// The same, but all of them or none: when one cannot be mapped, the others are unmapped again.
/// Errors: not_enough_memory when there are no addresses left; what Xen answers, with the first bad reference.
template <Platform Domain>
result<basic_mapping<Domain>> map_grants(basic_grant_table<Domain>& table, domid owner, std::span<const grant_ref> refs,
                                         access wanted) {
    std::size_t bad = refs.size();
    std::error_code status;
    auto made = basic_mapping<Domain>::make(table, owner, refs, wanted, [&](std::size_t index, std::error_code why) {
        if (index < bad) {
            bad = index;
            status = why;
        }
    });
    if (made && status)
        return failure(error{status, "map grant {} of domain {}", raw(refs[bad]), raw(owner)});
    return made;
}

}  // namespace halvm::xen
