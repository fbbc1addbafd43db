// SPDX-License-Identifier: BSD-3-Clause
// Physical devices, for a domain that has some. [xen/physdev.h]
#pragma once

#include <halvm/xen/platform.hpp>
#include <halvm/xen/privilege.hpp>

namespace halvm::xen::physdev {

namespace detail {

template <Platform Domain>
result<void> operate(Domain& domain, const char* attempted, int operation, void* argument) noexcept {
    const long status = call(domain, __HYPERVISOR_physdev_op, operation, argument);
    if (status < 0)
        return failure(privilege_error(status, attempted));
    return {};
}

}  // namespace detail

/// Lets this VCPU execute `in` and `out`, for ports that the domain has (domctl::allow_io_ports); io_ports.hpp does
/// it with type and name. Pre: level <= 3. Errors: ENOSYS in a domain that is not PV.
template <Platform Domain>
result<void> set_iopl(Domain& domain, unsigned level) noexcept {
    physdev_set_iopl_t request{.iopl = level};
    return detail::operate(domain, "physdev set_iopl", PHYSDEVOP_set_iopl, &request);
}

/// The physical interrupt that comes in at pin `gsi` of the machine's I/O APICs, by the same number. A PV domain maps
/// it before basic_event_channels::bind_pirq() knows it.
/// Errors: EPERM, the domain has not been given it; EINVAL, there is no such pin, or it has another number.
template <Platform Domain>
result<pirq> map_gsi(Domain& domain, unsigned gsi) noexcept {
    physdev_map_pirq_t request{};
    request.domid = DOMID_SELF;
    request.type = MAP_PIRQ_TYPE_GSI;
    request.index = request.pirq = static_cast<int>(gsi);
    return checked_call(domain, "physdev map_pirq", __HYPERVISOR_physdev_op, PHYSDEVOP_map_pirq, &request)
        .map([&](long) { return pirq{static_cast<std::uint32_t>(request.pirq)}; });
}

/// Gives it back for good: the domain's right to it goes too. Pre: no port is bound to it.
/// Errors: EPERM in an ordinary domain; EINVAL, it is not mapped.
template <Platform Domain>
result<void> unmap_gsi(Domain& domain, pirq which) noexcept {
    physdev_unmap_pirq_t request{.domid = DOMID_SELF, .pirq = static_cast<int>(raw(which))};
    return checked_call(domain, "physdev unmap_pirq", __HYPERVISOR_physdev_op, PHYSDEVOP_unmap_pirq, &request)
        .map([](long) {});
}

/// Tells Xen that a level-triggered interrupt has been dealt with. Errors: EINVAL, there is no such interrupt.
template <Platform Domain>
result<void> end_of_interrupt(Domain& domain, pirq which) noexcept {
    physdev_eoi_t request{.irq = raw(which)};
    return detail::operate(domain, "physdev eoi", PHYSDEVOP_eoi, &request);
}

struct irq_status {
    bool needs_eoi;  ///< end_of_interrupt() is wanted each time
    bool shared;     ///< with other domains
};

/// Errors: EINVAL, there is no such interrupt.
template <Platform Domain>
result<irq_status> query_irq(Domain& domain, pirq which) noexcept {
    physdev_irq_status_query_t request{.irq = raw(which), .flags = 0};
    if (const auto done = detail::operate(domain, "physdev irq_status_query", PHYSDEVOP_irq_status_query, &request);
        !done)
        return failure(done.error());
    return irq_status{(request.flags & XENIRQSTAT_needs_eoi) != 0, (request.flags & XENIRQSTAT_shared) != 0};
}

}  // namespace halvm::xen::physdev
