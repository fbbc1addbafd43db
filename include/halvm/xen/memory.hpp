// SPDX-License-Identifier: BSD-3-Clause
// What a domain can do with its memory beyond having it: protect pages, own frames in a row, give frames up and get
// others, and, when it is privileged, map those of any domain. [xen/memory.h]
#pragma once

#include <halvm/xen/grant_entries.hpp>
#include <halvm/xen/pages.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <span>
#include <vector>

namespace halvm::xen {

/// Gives one frame of this domain back to Xen. It must be mapped and granted nowhere. 0 or minus an errno of Xen's.
template <Platform Domain>
long give_up_frame(Domain& domain, gfn frame) noexcept {
    xen_pfn_t number = raw(frame);
    xen_memory_reservation_t request{};
    set_xen_guest_handle(request.extent_start, &number);
    request.nr_extents = 1;
    request.domid = DOMID_SELF;
    const long done = call(domain, __HYPERVISOR_memory_op, XENMEM_decrease_reservation, &request);
    return done == 1 ? 0 : done < 0 ? done : -XEN_EINVAL;
}

/// Asks Xen for one more frame. Errors: not_enough_memory when the domain may have no more.
template <Platform Domain>
result<gfn> obtain_frame(Domain& domain) noexcept {
    xen_pfn_t number = 0;
    xen_memory_reservation_t request{};
    set_xen_guest_handle(request.extent_start, &number);
    request.nr_extents = 1;
    request.domid = DOMID_SELF;
    const long done = call(domain, __HYPERVISOR_memory_op, XENMEM_increase_reservation, &request);
    if (done == 1)
        return gfn{number};
    return failure(hypercall_error(done < 0 ? done : -XEN_ENOMEM, "obtain another frame from Xen"));
}

/// Pages whose frames are in a row in the machine too, as devices and larger mappings want them. Their number is
/// rounded up to a power of two. The frames that lay there go back to Xen for them.
/// Errors: not_enough_memory when this domain or the machine has none.
template <MemoryPlatform Domain>
result<basic_pages<Domain>> allocate_contiguous(Domain& domain, std::size_t count) {
    Expects(count != 0);
    count = std::bit_ceil(count);
    auto pages = allocate_pages(domain, count);
    if (!pages || count == 1)
        return pages;
    std::vector<xen_pfn_t> frames(count);
    for (std::size_t i = 0; i < count; ++i)
        frames[i] = raw(domain.detach_frame(pages->page(i)));

    xen_pfn_t first = 0;
    xen_memory_exchange_t request{};
    set_xen_guest_handle(request.in.extent_start, frames.data());
    request.in.nr_extents = count;
    request.in.domid = DOMID_SELF;
    set_xen_guest_handle(request.out.extent_start, &first);
    request.out.nr_extents = 1;
    request.out.extent_order = static_cast<unsigned>(std::countr_zero(count));
    request.out.domid = DOMID_SELF;
    const long status = call(domain, __HYPERVISOR_memory_op, XENMEM_exchange, &request);
    const bool exchanged = request.nr_exchanged == count;

    bool whole = true;
    for (std::size_t i = 0; i < count; ++i)
        whole = domain.attach_frame(pages->page(i), gfn{exchanged ? first + i : frames[i]}) == 0 && whole;
    if (!whole)
        pages->release();  // a page without a frame must never be handed out
    if (exchanged && whole) {
        std::fill(pages->bytes().begin(), pages->bytes().end(), std::byte{});
        return pages;
    }
    return failure(hypercall_error(status < 0 ? status : -XEN_ENOMEM, "exchange {} frames for as many in a row",
                                   static_cast<std::uint32_t>(count)));
}

/// Frames of another domain, mapped without its leave.
template <MemoryPlatform Domain>
class basic_foreign_mapping {
public:
    basic_foreign_mapping() noexcept = default;
    basic_foreign_mapping(basic_foreign_mapping&& other) noexcept
        : domain_{other.domain_}, window_{std::exchange(other.window_, nullptr)}, count_{other.count_} {}
    basic_foreign_mapping& operator=(basic_foreign_mapping&& other) noexcept {
        std::swap(domain_, other.domain_);
        std::swap(window_, other.window_);
        std::swap(count_, other.count_);
        return *this;
    }
    ~basic_foreign_mapping() {
        if (window_ == nullptr)
            return;
        for (std::size_t i = 0; i < count_; ++i)
            domain_->unmap_frame(window_ + i * page_size);
        domain_->close_window(window_, count_);
    }

    [[nodiscard]] halvm::bytes bytes() const noexcept { return {window_, count_ * page_size}; }

private:
    template <MemoryPlatform Any>
    friend result<basic_foreign_mapping<Any>> map_foreign(Any& domain, domid owner, std::span<const gfn> frames,
                                                          access wanted);

    basic_foreign_mapping(Domain& domain, std::byte* window, std::size_t count) noexcept
        : domain_{&domain}, window_{window}, count_{count} {}

    Domain* domain_ = nullptr;
    std::byte* window_ = nullptr;
    std::size_t count_ = 0;
};

/// Maps frames of `owner` at addresses in a row, all or none. Only a privileged domain may. Pre: frames is not empty.
/// Errors: operation_not_permitted; not_enough_memory when there are no addresses; what Xen answers.
template <MemoryPlatform Domain>
result<basic_foreign_mapping<Domain>> map_foreign(Domain& domain, domid owner, std::span<const gfn> frames,
                                                  access wanted) {
    Expects(!frames.empty());
    auto* const window = static_cast<std::byte*>(domain.open_window(frames.size()));
    if (window == nullptr)
        return failure(error{std::make_error_code(std::errc::not_enough_memory),
                             "find addresses for {} frames of domain {}", static_cast<std::uint32_t>(frames.size()),
                             raw(owner)});
    for (std::size_t i = 0; i < frames.size(); ++i)
        if (const long status =
                domain.map_foreign_frame(window + i * page_size, owner, frames[i], wanted == access::read_write);
            status < 0) {
            while (i-- != 0)
                domain.unmap_frame(window + i * page_size);
            domain.close_window(window, frames.size());
            return failure(hypercall_error(status, "map {} frames of domain {}",
                                           static_cast<std::uint32_t>(frames.size()), raw(owner)));
        }
    return basic_foreign_mapping<Domain>{domain, window, frames.size()};
}

}  // namespace halvm::xen
