// SPDX-License-Identifier: BSD-3-Clause
// What Xen's mechanisms stand on: a domain's side of the hypervisor. They are templates over a Platform; a guest's is
// the real hypervisor (guest.hpp), a test's a simulated one with several domains in a process, so that each mechanism
// and each driver is tried, unchanged, against neighbours that lie.
//
// It is cut at the hypercall, not above it: what a mechanism tells Xen, and what it finds in memory that Xen or a peer
// can write, is its own business and is tested with it.
#pragma once

#include <halvm/xen/abi.hpp>
#include <halvm/xen/errors.hpp>
#include <halvm/xen/numbers.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace halvm::xen {

/// Where the toolstack put the domain's XenStore ring; `ring` is nullptr when it gave none, as in dom0.
struct xenstore_place {
    xenstore_domain_interface* ring;
    port local;
};

template <class Domain>
concept Platform = requires(Domain& domain, const Domain& view, unsigned long word, std::size_t count, void* page,
                            const void* address, gfn frame) {
    // Enters the hypervisor: the call's number, then its five arguments. Pointers are addresses of the caller's.
    // A negative result is minus an errno of Xen's. [xen/xen.h]
    { domain.hypercall(word, word, word, word, word, word) }
    noexcept->std::same_as<long>;
    // The page in which Xen tells the domain of time and events. Shared: Xen writes it at any moment.
    { domain.shared_info() }
    noexcept->std::same_as<shared_info_t&>;
    // Nanoseconds that never go back.
    { domain.now() }
    noexcept->std::same_as<std::uint64_t>;
    // `count` zeroed pages with addresses in a row, for a peer to see; nullptr when there is no memory.
    { domain.allocate_pages(count) }
    noexcept->std::same_as<void*>;
    // Gives back what allocate_pages(count) returned. No peer may still see it.
    { domain.free_pages(page, count) }
    noexcept;
    // The frame under a page that allocate_pages() returned, as Xen and peers are told of it.
    { view.frame_of(address) }
    noexcept->std::same_as<gfn>;
    // `count` page addresses in a row with nothing behind them, into which others' frames are mapped; nullptr when
    // there are none left.
    { domain.open_window(count) }
    noexcept->std::same_as<void*>;
    // Gives back what open_window(count) returned. Nothing may still be mapped there.
    { domain.close_window(page, count) }
    noexcept;
    // What GNTTABOP_map_grant_ref is told to map a frame at a page of a window.
    { view.window_address(address) }
    noexcept->std::same_as<std::uint64_t>;
    // Maps a frame that Xen gave this domain, such as one of its grant table, at a page of a window, writable.
    // 0, or minus an errno of Xen's.
    { domain.map_frame(page, frame) }
    noexcept->std::same_as<long>;
    // Takes out again what map_frame() put there.
    { domain.unmap_frame(page) }
    noexcept;
    { domain.xenstore() }
    noexcept->std::same_as<xenstore_place>;
};

/// A hypercall with its arguments as they are: integers, pointers, strong numbers.
template <Platform Domain, class... Arguments>
long call(Domain& domain, unsigned long number, Arguments... arguments) noexcept {
    static_assert(sizeof...(Arguments) <= 5);
    const unsigned long words[5]{(unsigned long)(arguments)...};
    return domain.hypercall(number, words[0], words[1], words[2], words[3], words[4]);
}

/// The same, with Xen's refusal as an error that says what was `attempted`. The value is what Xen returned.
template <Platform Domain, class... Arguments>
result<long> checked_call(Domain& domain, const char* attempted, unsigned long number,
                          Arguments... arguments) noexcept {
    const long status = call(domain, number, arguments...);
    if (status < 0)
        return failure(hypercall_error(status, attempted));
    return status;
}

}  // namespace halvm::xen
