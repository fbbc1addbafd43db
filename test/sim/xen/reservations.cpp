// SPDX-License-Identifier: BSD-3-Clause
#include "reservations.hpp"

#include "hypervisor.hpp"

namespace halvm::sim {
namespace {

using xen::raw;

long increase(hypervisor& host, domain& who, xen_memory_reservation_t& request) {
    unsigned long done = 0;
    for (; done < request.nr_extents; ++done) {
        if (host.frames.owned_by(raw(who.id())) >= who.frames_limit)
            break;
        const gfn frame = host.frames.allocate(raw(who.id()));
        if (frame == gfn{})
            break;
        request.extent_start.p[done] = raw(frame);
    }
    return static_cast<long>(done);
}

long decrease(hypervisor& host, domain& who, xen_memory_reservation_t& request) {
    unsigned long done = 0;
    for (; done < request.nr_extents; ++done) {
        const gfn frame{request.extent_start.p[done]};
        if (!host.frames.valid(frame) || host.frames.owner(frame) != raw(who.id()))
            break;
        if (who.maps(frame) || host.frames.seen_by_others(frame) != 0) {
            host.violation("a frame is given back that is still mapped");
            break;
        }
        host.frames.free(frame);
    }
    return static_cast<long>(done);
}

}  // namespace

long memory_op(hypervisor& host, domain& who, unsigned long operation, void* argument) {
    switch (operation) {
    case XENMEM_increase_reservation:
    case XENMEM_decrease_reservation: {
        auto& request = *static_cast<xen_memory_reservation_t*>(argument);
        if (request.domid != DOMID_SELF || request.extent_order != 0)
            return -XEN_EPERM;
        return operation == XENMEM_increase_reservation ? increase(host, who, request) : decrease(host, who, request);
    }
    case XENMEM_current_reservation: return static_cast<long>(host.frames.owned_by(raw(who.id())));
    default: return -XEN_ENOSYS;
    }
}

}  // namespace halvm::sim
