// SPDX-License-Identifier: BSD-3-Clause
// Letting another domain use our pages, and ending that. Access can end only when the peer has unmapped the page: the
// owners here see to it that neither reference nor page is used for anything else before. [xen/grant_table.h]
//
// A grant shows whole pages. share_pages() is for pages of their own, and has them zeroed; grant_access() and
// grant_range() are for memory of the caller's, who answers for what else lies in the first and the last page.
#pragma once

#include <halvm/xen/grant_table.hpp>
#include <halvm/xen/pages.hpp>

#include <cstring>
#include <span>

namespace halvm::xen {

namespace detail {
inline error still_mapped(grant_ref ref, domid peer) noexcept {
    return hypercall_error(-XEN_EBUSY, "end grant {} to domain {}: it still has the page mapped", raw(ref), raw(peer));
}
}  // namespace detail

/// Access of one domain to one page of the caller's memory.
template <Platform Domain>
class basic_grant {
public:
    basic_grant() noexcept = default;
    /// Takes over a reference that `table` has published for `peer`.
    basic_grant(basic_grant_table<Domain>& table, grant_ref ref, domid peer) noexcept
        : table_{&table}, ref_{ref}, peer_{peer} {}
    basic_grant(basic_grant&& other) noexcept
        : table_{std::exchange(other.table_, nullptr)}, ref_{other.ref_}, peer_{other.peer_} {}
    basic_grant& operator=(basic_grant&& other) noexcept {
        std::swap(table_, other.table_);
        std::swap(ref_, other.ref_);
        std::swap(peer_, other.peer_);
        return *this;
    }
    /// Ends the access. When the peer still has the page mapped the reference is parked, and the memory is seen by the
    /// peer until that lets go: a caller who will use the memory again asks end() first.
    ~basic_grant() {
        if (table_ != nullptr && !table_->give_back(ref_))
            table_->park(ref_);
    }

    [[nodiscard]] grant_ref ref() const noexcept { return ref_; }
    [[nodiscard]] domid peer() const noexcept { return peer_; }
    explicit operator bool() const noexcept { return table_ != nullptr; }

    /// Takes the access back; on success this owns nothing. Errors: device_or_resource_busy while the peer has the page
    /// mapped, and the grant stays as it is.
    result<void> end() noexcept {
        Expects(table_ != nullptr);
        if (!table_->give_back(ref_))
            return failure(detail::still_mapped(ref_, peer_));
        table_ = nullptr;
        return {};
    }

private:
    basic_grant_table<Domain>* table_ = nullptr;
    grant_ref ref_{};
    domid peer_{};
};

/// Lets `peer` use the page that `page` points into. Errors: those of basic_grant_table::publish().
template <Platform Domain>
result<basic_grant<Domain>> grant_access(basic_grant_table<Domain>& table, domid peer, const void* page,
                                         access allowed) {
    const auto flags = static_cast<std::uint16_t>(GTF_permit_access | static_cast<unsigned>(allowed));
    auto ref = table.publish(peer, table.domain().frame_of(page), flags);
    if (!ref)
        return failure(ref.error());
    return basic_grant<Domain>{table, *ref, peer};
}

/// Lets `peer` copy from or to `part`, and nothing else of its page: such a grant cannot be mapped.
/// Pre: `part` is not empty and lies in one page; the table is of version 2.
/// Errors: those of basic_grant_table::take().
template <Platform Domain>
result<basic_grant<Domain>> grant_part(basic_grant_table<Domain>& table, domid peer, const_bytes part, access allowed) {
    const std::size_t offset = reinterpret_cast<std::uintptr_t>(part.data()) % page_size;
    Expects(table.version_2() && !part.empty() && offset + part.size() <= page_size);
    auto ref = table.take(peer);
    if (!ref)
        return failure(ref.error());
    table.entries().publish_part(*ref, peer, table.domain().frame_of(part.data()), static_cast<std::uint16_t>(offset),
                                 static_cast<std::uint16_t>(part.size()),
                                 static_cast<std::uint16_t>(GTF_permit_access | static_cast<unsigned>(allowed)));
    return basic_grant<Domain>{table, *ref, peer};
}

/// Lets `peer` copy from or to the page that `owner` granted to this domain by `of`: such a grant cannot be mapped.
/// Pre: the table is of version 2. Errors: those of basic_grant_table::take().
template <Platform Domain>
result<basic_grant<Domain>> grant_onward(basic_grant_table<Domain>& table, domid peer, domid owner, grant_ref of,
                                         access allowed) {
    Expects(table.version_2());
    auto ref = table.take(peer);
    if (!ref)
        return failure(ref.error());
    table.entries().publish_onward(*ref, peer, owner, of,
                                   static_cast<std::uint16_t>(GTF_transitive | static_cast<unsigned>(allowed)));
    return basic_grant<Domain>{table, *ref, peer};
}

/// Where a part of a range lies in the page that a reference stands for.
struct granted_piece {
    grant_ref ref;
    std::uint16_t offset;
    std::uint16_t size;
};

/// Access of one domain to a range of the caller's memory, which may begin and end anywhere in a page.
template <Platform Domain>
class basic_grant_range {
public:
    basic_grant_range() noexcept = default;
    basic_grant_range(std::vector<basic_grant<Domain>> grants, std::size_t offset, std::size_t size) noexcept
        : grants_{std::move(grants)}, offset_{offset}, size_{size} {}

    /// How many pages the range touches.
    [[nodiscard]] std::size_t count() const noexcept { return grants_.size(); }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    /// The part of the range that lies in its page with this index. Pre: index < count().
    [[nodiscard]] granted_piece piece(std::size_t index) const noexcept {
        Expects(index < count());
        const std::size_t begin = index == 0 ? offset_ : 0;
        const std::size_t end = std::min(page_size, offset_ + size_ - index * page_size);
        return {grants_[index].ref(), static_cast<std::uint16_t>(begin), static_cast<std::uint16_t>(end - begin)};
    }

    /// Takes the access back, of every page that it can be taken back of; on success this owns nothing.
    /// Errors: device_or_resource_busy while the peer has one of the pages mapped: this owns those, and has no pieces.
    result<void> end() noexcept {
        result<void> done;
        std::erase_if(grants_, [&](auto& one) {
            auto ended = one.end();
            if (!ended && done)
                done = ended;
            return ended.has_value();
        });
        return done;
    }

private:
    std::vector<basic_grant<Domain>> grants_;
    std::size_t offset_ = 0;
    std::size_t size_ = 0;
};

/// Lets `peer` use every page that `range` touches. All or none of them. Pre: range is not empty.
/// Errors: those of basic_grant_table::publish().
template <Platform Domain>
result<basic_grant_range<Domain>> grant_range(basic_grant_table<Domain>& table, domid peer, const_bytes range,
                                              access allowed) {
    Expects(!range.empty());
    const std::size_t offset = reinterpret_cast<std::uintptr_t>(range.data()) % page_size;
    const std::byte* const first = range.data() - offset;
    const std::size_t count = (offset + range.size() + page_size - 1) / page_size;
    std::vector<basic_grant<Domain>> grants;
    grants.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
        auto one = grant_access(table, peer, first + i * page_size, allowed);
        if (!one)
            return failure(one.error());
        grants.push_back(std::move(*one));
    }
    return basic_grant_range<Domain>{std::move(grants), offset, range.size()};
}

/// What a peer finds in pages that are granted to it.
enum class contents {
    zeroed,
    kept,  ///< what the caller has put there, and nothing else
};

/// Pages that one domain may use, together with their references: what a ring is made of.
template <Platform Domain>
class basic_shared_pages {
public:
    basic_shared_pages() noexcept = default;
    basic_shared_pages(basic_shared_pages&&) noexcept = default;
    basic_shared_pages& operator=(basic_shared_pages&& other) noexcept {
        std::swap(state_, other.state_);
        return *this;
    }
    /// Ends the access and frees the pages; what the peer still has mapped is parked.
    ~basic_shared_pages() {
        if (state_ != nullptr && !revoke())
            park();
    }

    [[nodiscard]] halvm::bytes bytes() const noexcept { return state_->pages.bytes(); }
    [[nodiscard]] std::byte* data() const noexcept { return state_->pages.data(); }
    /// One for each page, in order.
    [[nodiscard]] std::span<const grant_ref> refs() const noexcept { return state_->refs; }
    [[nodiscard]] domid peer() const noexcept { return state_->peer; }
    explicit operator bool() const noexcept { return state_ != nullptr; }

    /// Ends the access and returns the pages. Errors: device_or_resource_busy when the peer still has one of them
    /// mapped: all are parked then. Either way this owns nothing afterwards.
    result<basic_pages<Domain>> end() {
        Expects(state_ != nullptr);
        if (!revoke()) {
            const auto why = detail::still_mapped(state_->refs.front(), state_->peer);
            park();
            return failure(why);
        }
        auto pages = std::move(state_->pages);
        state_.reset();
        return pages;
    }

private:
    template <Platform Any>
    friend result<basic_shared_pages<Any>> share_pages(basic_grant_table<Any>& table, domid peer,
                                                       basic_pages<Any> pages, access allowed, contents found);

    struct state final : parked_grants {
        state(basic_grant_table<Domain>& of, domid with, basic_pages<Domain> what)
            : table{of}, peer{with}, pages{std::move(what)} {}
        // A table that goes leaves what is still mapped to the peer.
        ~state() override {
            if (!refs.empty())
                pages.release();
        }
        bool retry() noexcept override {
            std::erase_if(refs, [&](grant_ref ref) { return table.give_back_parked(ref); });
            return refs.empty();
        }

        basic_grant_table<Domain>& table;
        domid peer;
        basic_pages<Domain> pages;
        std::vector<grant_ref> refs;
    };

    explicit basic_shared_pages(std::unique_ptr<state> made) noexcept : state_{std::move(made)} {}

    bool revoke() noexcept {
        std::erase_if(state_->refs, [&](grant_ref ref) { return state_->table.give_back(ref); });
        return state_->refs.empty();
    }
    void park() noexcept {
        auto& table = state_->table;
        const auto references = static_cast<std::uint32_t>(state_->refs.size());
        const auto pages = state_->pages.count();
        table.park(std::move(state_), references, pages);
    }

    std::unique_ptr<state> state_;
};

/// Lets `peer` use `pages`, which are zeroed first unless `found` says otherwise. All or none of them; with none the
/// pages are freed. Errors: those of basic_grant_table::publish().
template <Platform Domain>
result<basic_shared_pages<Domain>> share_pages(basic_grant_table<Domain>& table, domid peer, basic_pages<Domain> pages,
                                               access allowed, contents found = contents::zeroed) {
    Expects(static_cast<bool>(pages));
    if (found == contents::zeroed)
        std::memset(pages.data(), 0, pages.bytes().size());
    using shared = basic_shared_pages<Domain>;
    auto state = std::make_unique<typename shared::state>(table, peer, std::move(pages));
    state->refs.reserve(state->pages.count());
    const auto flags = static_cast<std::uint16_t>(GTF_permit_access | static_cast<unsigned>(allowed));
    // Made before the first page is granted, so that it ends what was begun.
    shared made{std::move(state)};
    for (std::size_t i = 0; i < made.state_->pages.count(); ++i) {
        auto ref = table.publish(peer, made.state_->pages.frame(i), flags);
        if (!ref)
            return failure(ref.error());
        made.state_->refs.push_back(*ref);
    }
    return made;
}

/// Shares `count` new zeroed pages. Errors: not_enough_memory; those of basic_grant_table::publish().
template <Platform Domain>
result<basic_shared_pages<Domain>> share_pages(basic_grant_table<Domain>& table, domid peer, std::size_t count,
                                               access allowed) {
    auto pages = allocate_pages(table.domain(), count);
    if (!pages)
        return failure(pages.error());
    return share_pages(table, peer, std::move(*pages), allowed, contents::kept);
}

}  // namespace halvm::xen
