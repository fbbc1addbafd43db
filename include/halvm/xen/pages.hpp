// SPDX-License-Identifier: BSD-3-Clause
// Pages with an owner: what is shared with other domains, page by page. They come from the domain's page allocator,
// whose neighbours are nobody's, so that a page which is granted shows nothing that was not put there.
#pragma once

#include <halvm/bytes.hpp>
#include <halvm/contract.hpp>
#include <halvm/xen/platform.hpp>

#include <utility>

namespace halvm::xen {

/// What a domain lets itself do with pages of its own. None of it is execution.
enum class protection { none, read_only, read_write };

/// A Platform that can also change what lies behind addresses.
template <class Domain>
concept MemoryPlatform = Platform<Domain> &&
    requires(Domain& domain, void* page, std::size_t count, protection allowed, gfn frame, domid owner, bool writable) {
    // Changes the protection of pages that allocate_pages() returned. 0, or minus an errno of Xen's.
    { domain.protect_pages(page, count, allowed) }
    noexcept->std::same_as<long>;
    // Takes the frame from under such a page, and returns it; the address has nothing behind it then.
    { domain.detach_frame(page) }
    noexcept->std::same_as<gfn>;
    // Puts a frame of this domain's under such an address, writable. 0, or minus an errno of Xen's.
    { domain.attach_frame(page, frame) }
    noexcept->std::same_as<long>;
    // Maps a frame of another domain at a page of a window, which Xen allows a privileged one. 0, or minus an errno.
    { domain.map_foreign_frame(page, owner, frame, writable) }
    noexcept->std::same_as<long>;
};

/// Owns pages with addresses in a row; gives them back when it goes.
template <Platform Domain>
class basic_pages {
public:
    basic_pages() noexcept = default;
    /// Takes over what domain.allocate_pages(count) returned.
    basic_pages(Domain& domain, void* first, std::size_t count) noexcept
        : domain_{&domain}, first_{static_cast<std::byte*>(first)}, count_{count} {}
    basic_pages(basic_pages&& other) noexcept
        : domain_{other.domain_},
          first_{std::exchange(other.first_, nullptr)},
          count_{std::exchange(other.count_, 0)},
          protection_{other.protection_} {}
    basic_pages& operator=(basic_pages&& other) noexcept {
        std::swap(protection_, other.protection_);
        std::swap(domain_, other.domain_);
        std::swap(first_, other.first_);
        std::swap(count_, other.count_);
        return *this;
    }
    ~basic_pages() {
        if (first_ == nullptr)
            return;
        if constexpr (MemoryPlatform<Domain>)
            if (protection_ != protection::read_write &&
                domain_->protect_pages(first_, count_, protection::read_write) != 0)
                return;  // nobody else could use them
        domain_->free_pages(first_, count_);
    }

    [[nodiscard]] halvm::bytes bytes() const noexcept { return {first_, count_ * page_size}; }
    [[nodiscard]] std::byte* data() const noexcept { return first_; }
    /// Of the page with this index. Pre: index < count().
    [[nodiscard]] std::byte* page(std::size_t index) const noexcept {
        Expects(index < count_);
        return first_ + index * page_size;
    }
    [[nodiscard]] gfn frame(std::size_t index) const noexcept { return domain_->frame_of(page(index)); }
    [[nodiscard]] std::size_t count() const noexcept { return count_; }
    [[nodiscard]] Domain& domain() const noexcept { return *domain_; }
    explicit operator bool() const noexcept { return first_ != nullptr; }

    /// From now on the domain may do no more than this with the pages; anything else is a fault, which ends the
    /// program. What a peer may do through a grant is not changed. Errors: what Xen answers.
    result<void> protect(protection allowed) noexcept requires MemoryPlatform<Domain> {
        if (const long status = domain_->protect_pages(first_, count_, allowed); status < 0)
            return failure(
                hypercall_error(status, "change the protection of {} pages", static_cast<std::uint32_t>(count_)));
        protection_ = allowed;
        return {};
    }

    /// Nobody owns the pages any more: they are never given back.
    std::byte* release() noexcept {
        count_ = 0;
        return std::exchange(first_, nullptr);
    }

private:
    Domain* domain_ = nullptr;
    std::byte* first_ = nullptr;
    std::size_t count_ = 0;
    protection protection_ = protection::read_write;
};

/// `count` zeroed pages. Errors: not_enough_memory.
template <Platform Domain>
result<basic_pages<Domain>> allocate_pages(Domain& domain, std::size_t count) noexcept {
    Expects(count != 0);
    void* const first = domain.allocate_pages(count);
    if (first == nullptr)
        return failure(error{std::make_error_code(std::errc::not_enough_memory), "allocate {} pages",
                             static_cast<std::uint32_t>(count)});
    return basic_pages<Domain>{domain, first, count};
}

}  // namespace halvm::xen
