// SPDX-License-Identifier: BSD-3-Clause
// What the hypervisor does for a toolstack. [xen/domctl.h] [xen/sysctl.h] [xen/physdev.h]
#pragma once

#include <halvm/xen/domctl.hpp>

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace halvm::sim {

class domain;
class hypervisor;

/// What a toolstack has settled for one domain.
struct control_state {
    xen::domain_handle handle;
    unsigned pauses = 0;
    std::uint32_t max_vcpus = 1;
    std::uint32_t vcpus = 1;
    std::uint64_t max_pages = 4096;
    std::vector<xen::gfn> populated;  ///< frames that it was given by another domain
    xen::domctl::cpu_set cpus = xen::domctl::cpu_set::all();
    std::set<std::uint32_t> irqs;
    std::set<std::uint32_t> io_ports;
    std::set<std::uint64_t> io_frames;
    std::vector<xen::gfn> hypercall_pages;
    unsigned iopl = 0;
};

/// The machine, and the versions of its interfaces.
struct machine_state {
    std::uint32_t domctl_version = XEN_DOMCTL_INTERFACE_VERSION;
    std::uint32_t sysctl_version = XEN_SYSCTL_INTERFACE_VERSION;
    std::uint32_t cpus = 4;
    std::uint32_t pirqs = 16;
    std::uint32_t scheduler = XEN_SCHEDULER_CREDIT2;
    std::string console;           ///< all that Xen has written
    std::size_t console_kept = 0;  ///< what is before this place in it has been overwritten
    std::vector<std::uint32_t> ended_interrupts;
    std::set<int> mapped_interrupts;  ///< by number
};

/// HYPERVISOR_domctl.
long domctl(hypervisor& host, domain& who, xen_domctl_t& request);

/// HYPERVISOR_sysctl.
long sysctl(hypervisor& host, domain& who, xen_sysctl_t& request);

/// HYPERVISOR_physdev_op.
long physdev_op(hypervisor& host, domain& who, unsigned long operation, void* argument);

/// XENMEM_populate_physmap. As Xen's, it gives nothing and says no more to who may not, or for nobody.
long populate_physmap(hypervisor& host, domain& who, xen_memory_reservation_t& request);

/// XENMEM_maximum_reservation.
long maximum_reservation(hypervisor& host, const domain& who, domid_t whose);

}  // namespace halvm::sim
