// SPDX-License-Identifier: BSD-3-Clause
// The number of the domain that asks, which Xen does not tell directly: it names the ends of an event channel.
#pragma once

#include <halvm/xen/guest.hpp>

inline halvm::xen::domid own_domain() {
    namespace xen = halvm::xen;
    xen::guest domain;
    evtchn_alloc_unbound_t made{DOMID_SELF, DOMID_SELF, 0};
    if (xen::call(domain, __HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, &made) != 0)
        return xen::self;
    evtchn_status_t found{};
    found.dom = DOMID_SELF;
    found.port = made.port;
    xen::call(domain, __HYPERVISOR_event_channel_op, EVTCHNOP_status, &found);
    evtchn_close_t close{made.port};
    xen::call(domain, __HYPERVISOR_event_channel_op, EVTCHNOP_close, &close);
    return xen::domid{found.u.unbound.dom};
}
