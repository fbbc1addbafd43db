// SPDX-License-Identifier: BSD-3-Clause
// Memory for another domain, from a privileged one that builds it.
#pragma once

#include <halvm/contract.hpp>
#include <halvm/xen/platform.hpp>
#include <halvm/xen/privilege.hpp>

#include <algorithm>
#include <span>

namespace halvm::xen {

/// Gives `owner` a zeroed frame of memory for each of its `places`, and says in `frames` which: the part of it that was
/// filled is returned. Pre: frames.size() >= places.size(). Errors: not_privileged(); ESRCH; ENOMEM, `owner` may have
/// no more (domctl::max_memory()) or the machine has no more: what it was given before stays its. What is in `frames`
/// after an error means nothing.
template <Platform Domain>
result<std::span<gfn>> populate(Domain& domain, domid owner, std::span<const pfn> places, std::span<gfn> frames) {
    constexpr auto attempted = "memory populate_physmap";
    static_assert(sizeof(gfn) == sizeof(xen_pfn_t));
    Expects(frames.size() >= places.size());
    std::transform(places.begin(), places.end(), frames.begin(), [](pfn place) { return gfn{raw(place)}; });
    xen_memory_reservation_t request{};
    set_xen_guest_handle(request.extent_start, reinterpret_cast<xen_pfn_t*>(frames.data()));
    request.nr_extents = places.size();
    request.domid = raw(owner);
    const long done = call(domain, __HYPERVISOR_memory_op, XENMEM_populate_physmap, &request);
    if (done < 0)
        return failure(privilege_error(done, attempted));
    if (done == 0) {
        // For whatever reason Xen has given nothing it says so in the same way; asked how much there may be, it tells.
        domid_t whose = raw(owner);
        if (const long known = call(domain, __HYPERVISOR_memory_op, XENMEM_maximum_reservation, &whose); known < 0)
            return failure(privilege_error(known, attempted));
    }
    if (static_cast<std::size_t>(done) != places.size())
        return failure(hypercall_error(-XEN_ENOMEM, attempted));
    return frames.first(places.size());
}

}  // namespace halvm::xen
