// SPDX-License-Identifier: BSD-3-Clause
#include "toolstack.hpp"

#include "hypervisor.hpp"

#include <algorithm>
#include <cstring>

namespace halvm::sim {
namespace {

std::uint64_t pages_of(const domain& one) { return one.pages_in_use() + one.control.populated.size(); }

xen_domctl_getdomaininfo_t describe(const domain& one) {
    const auto& control = one.control;
    xen_domctl_getdomaininfo_t info{};
    info.domain = xen::raw(one.id());
    if (one.shutdown_reason >= 0)
        info.flags = XEN_DOMINF_shutdown | static_cast<std::uint32_t>(one.shutdown_reason) << XEN_DOMINF_shutdownshift;
    info.flags |= control.pauses != 0 ? XEN_DOMINF_paused : XEN_DOMINF_running;
    info.tot_pages = pages_of(one);
    info.max_pages = control.max_pages;
    info.nr_online_vcpus = control.vcpus;
    info.max_vcpu_id = control.vcpus == 0 ? XEN_INVALID_MAX_VCPU_ID : control.vcpus - 1;
    std::copy(control.handle.bytes.begin(), control.handle.bytes.end(), info.handle);
    return info;
}

long create(hypervisor& host, xen_domctl_t& request) {
    const domid wanted{request.domain};
    const bool any = wanted == xen::dom0 || request.domain >= DOMID_FIRST_RESERVED;
    // Domains are numbered in order here, so that only the next number is free.
    if (!any && request.domain != host.domains())
        return request.domain < host.domains() ? -XEN_EEXIST : -XEN_EINVAL;
    domain& made = host.create();
    const auto& given = request.u.createdomain;
    std::copy(std::begin(given.handle), std::end(given.handle), made.control.handle.bytes.begin());
    made.control.pauses = 1;
    made.control.max_vcpus = given.max_vcpus;
    made.control.vcpus = 0;
    made.control.max_pages = 0;
    request.domain = xen::raw(made.id());
    return 0;
}

/// Writes the set, cut down to the CPUs that there are, into a caller's bit map.
void put(const hypervisor& host, const xen::domctl::cpu_set& cpus, xenctl_bitmap_t& map) {
    std::memset(map.bitmap.p, 0, map.nr_bits / 8);
    for (std::uint32_t cpu = 0; cpu < std::min(map.nr_bits, host.machine.cpus); ++cpu)
        if (cpus.contains(cpu))
            map.bitmap.p[cpu / 8] |= static_cast<std::uint8_t>(1 << cpu % 8);
}

long set_affinity(const hypervisor& host, domain& one, xenctl_bitmap_t& map) {
    xen::domctl::cpu_set cpus;
    bool some = false;
    for (std::uint32_t cpu = 0; cpu < std::min(map.nr_bits, host.machine.cpus); ++cpu)
        if ((map.bitmap.p[cpu / 8] >> cpu % 8 & 1) != 0) {
            cpus.insert(cpu);
            some = true;
        }
    if (!some)
        return -XEN_EINVAL;
    one.control.cpus = cpus;
    put(host, cpus, map);
    return 0;
}

template <class Number>
void allow(std::set<Number>& numbers, Number first, std::uint64_t count, bool allowed) {
    for (Number at = first; at < first + count; ++at) {
        if (allowed)
            numbers.insert(at);
        else
            numbers.erase(at);
    }
}

}  // namespace

long domctl(hypervisor& host, domain& who, xen_domctl_t& request) {
    if (request.interface_version != host.machine.domctl_version)
        return -XEN_EACCES;
    if (!who.privileged())
        return -XEN_EPERM;
    if (request.cmd == XEN_DOMCTL_createdomain)
        return create(host, request);
    domain* const found = host.find(domid{request.domain});
    if (found == nullptr)
        return -XEN_ESRCH;
    domain& one = *found;
    auto& control = one.control;
    auto& u = request.u;
    switch (request.cmd) {
    case XEN_DOMCTL_destroydomain:
        if (one.id() == who.id())
            return -XEN_EINVAL;
        for (const auto frame : control.populated)
            host.frames.free(frame);
        control.populated.clear();
        host.destroy(one);
        return 0;
    case XEN_DOMCTL_pausedomain: ++control.pauses; return 0;
    case XEN_DOMCTL_unpausedomain:
        if (control.pauses == 0)
            return -XEN_EINVAL;
        --control.pauses;
        return 0;
    case XEN_DOMCTL_getdomaininfo: u.getdomaininfo = describe(one); return 0;
    case XEN_DOMCTL_max_vcpus:
        if (u.max_vcpus.max != control.max_vcpus)
            return -XEN_EINVAL;
        control.vcpus = control.max_vcpus;
        return 0;
    case XEN_DOMCTL_max_mem: control.max_pages = u.max_mem.max_memkb / 4; return 0;
    case XEN_DOMCTL_setvcpuaffinity:
    case XEN_DOMCTL_getvcpuaffinity:
        if (u.vcpuaffinity.vcpu >= control.vcpus)
            return -XEN_EINVAL;
        if (request.cmd == XEN_DOMCTL_setvcpuaffinity)
            return set_affinity(host, one, u.vcpuaffinity.cpumap_hard);
        put(host, control.cpus, u.vcpuaffinity.cpumap_hard);
        return 0;
    case XEN_DOMCTL_setdomainhandle:
        std::copy(std::begin(u.setdomainhandle.handle), std::end(u.setdomainhandle.handle),
                  control.handle.bytes.begin());
        return 0;
    case XEN_DOMCTL_hypercall_init: control.hypercall_pages.push_back(gfn{u.hypercall_init.gmfn}); return 0;
    case XEN_DOMCTL_irq_permission:
        if (u.irq_permission.pirq >= host.machine.pirqs)
            return -XEN_EINVAL;
        allow(control.irqs, u.irq_permission.pirq, 1, u.irq_permission.allow_access != 0);
        return 0;
    case XEN_DOMCTL_ioport_permission:
        if (u.ioport_permission.first_port + u.ioport_permission.nr_ports > 0x10000)
            return -XEN_EINVAL;
        allow(control.io_ports, u.ioport_permission.first_port, u.ioport_permission.nr_ports,
              u.ioport_permission.allow_access != 0);
        return 0;
    case XEN_DOMCTL_iomem_permission:
        allow(control.io_frames, std::uint64_t{u.iomem_permission.first_mfn}, u.iomem_permission.nr_mfns,
              u.iomem_permission.allow_access != 0);
        return 0;
    default: return -XEN_ENOSYS;
    }
}

long sysctl(hypervisor& host, domain& who, xen_sysctl_t& request) {
    const auto& machine = host.machine;
    if (request.interface_version != machine.sysctl_version)
        return -XEN_EACCES;
    if (!who.privileged())
        return -XEN_EPERM;
    auto& u = request.u;
    switch (request.cmd) {
    case XEN_SYSCTL_physinfo:
        u.physinfo = {};
        u.physinfo.threads_per_core = 1;
        u.physinfo.cores_per_socket = machine.cpus;
        u.physinfo.nr_cpus = machine.cpus;
        u.physinfo.max_cpu_id = machine.cpus - 1;
        u.physinfo.nr_nodes = 1;
        u.physinfo.cpu_khz = 1'000'000;
        u.physinfo.capabilities = XEN_SYSCTL_PHYSCAP_pv;
        u.physinfo.free_pages = host.frames.free_frames();
        return 0;
    case XEN_SYSCTL_sched_id: u.sched_id.sched_id = machine.scheduler; return 0;
    case XEN_SYSCTL_getdomaininfolist: {
        auto& list = u.getdomaininfolist;
        list.num_domains = 0;
        for (std::uint32_t id = list.first_domain; id < DOMID_FIRST_RESERVED && list.num_domains < list.max_domains;
             ++id)
            if (const domain* const one = host.find(domid{static_cast<domid_t>(id)}))
                list.buffer.p[list.num_domains++] = describe(*one);
        return 0;
    }
    case XEN_SYSCTL_cputopoinfo: {
        auto& topology = u.cputopoinfo;
        if (topology.cputopo.p == nullptr) {
            topology.num_cpus = machine.cpus;
            return 0;
        }
        topology.num_cpus = std::min(topology.num_cpus, machine.cpus);
        for (std::uint32_t cpu = 0; cpu < topology.num_cpus; ++cpu)
            topology.cputopo.p[cpu] = {.core = cpu, .socket = 0, .node = 0};
        return 0;
    }
    case XEN_SYSCTL_readconsole: {
        auto& read = u.readconsole;
        const auto from = std::clamp<std::size_t>(read.index, machine.console_kept, machine.console.size());
        read.count = static_cast<std::uint32_t>(machine.console.copy(read.buffer.p, read.count, from));
        read.index = static_cast<std::uint32_t>(from + read.count);
        return 0;
    }
    default: return -XEN_ENOSYS;
    }
}

long physdev_op(hypervisor& host, domain& who, unsigned long operation, void* argument) {
    switch (operation) {
    case PHYSDEVOP_set_iopl: {
        const auto level = static_cast<physdev_set_iopl_t*>(argument)->iopl;
        if (level > 3)
            return -XEN_EINVAL;
        who.control.iopl = level;
        return 0;
    }
    case PHYSDEVOP_map_pirq: {
        const auto& request = *static_cast<const physdev_map_pirq_t*>(argument);
        if (!who.privileged())
            return -XEN_EPERM;
        if (request.domid != DOMID_SELF || request.type != MAP_PIRQ_TYPE_GSI || request.index != request.pirq ||
            request.index < 0 || static_cast<std::uint32_t>(request.index) >= host.machine.pirqs)
            return -XEN_EINVAL;
        host.machine.mapped_interrupts.insert(request.pirq);
        return 0;
    }
    case PHYSDEVOP_unmap_pirq: {
        const auto& request = *static_cast<const physdev_unmap_pirq_t*>(argument);
        if (!who.privileged())
            return -XEN_EPERM;
        return host.machine.mapped_interrupts.erase(request.pirq) == 1 ? 0 : -XEN_EINVAL;
    }
    case PHYSDEVOP_eoi: {
        const auto irq = static_cast<physdev_eoi_t*>(argument)->irq;
        if (irq >= host.machine.pirqs)
            return -XEN_EINVAL;
        host.machine.ended_interrupts.push_back(irq);
        return 0;
    }
    case PHYSDEVOP_irq_status_query: {
        auto& query = *static_cast<physdev_irq_status_query_t*>(argument);
        if (query.irq >= host.machine.pirqs)
            return -XEN_EINVAL;
        query.flags = query.irq % 2 == 0 ? XENIRQSTAT_needs_eoi : XENIRQSTAT_shared;
        return 0;
    }
    default: return -XEN_ENOSYS;
    }
}

long maximum_reservation(hypervisor& host, const domain& who, domid_t whose) {
    const domain* const one = domid{whose} == xen::self ? &who : host.find(domid{whose});
    if (one == nullptr)
        return -XEN_ESRCH;
    return one == &who || who.privileged() ? static_cast<long>(one->control.max_pages) : -XEN_EPERM;
}

long populate_physmap(hypervisor& host, domain& who, xen_memory_reservation_t& request) {
    if (maximum_reservation(host, who, request.domid) < 0)
        return 0;
    domain* const one = domid{request.domid} == xen::self ? &who : host.find(domid{request.domid});
    long done = 0;
    for (; done < static_cast<long>(request.nr_extents) && pages_of(*one) < one->control.max_pages; ++done) {
        const gfn frame = host.frames.allocate(xen::raw(one->id()));
        if (frame == gfn{})
            break;
        std::memset(host.frames.at(frame), 0, page_size);
        one->control.populated.push_back(frame);
        request.extent_start.p[done] = xen::raw(frame);
    }
    return done;
}

}  // namespace halvm::sim
