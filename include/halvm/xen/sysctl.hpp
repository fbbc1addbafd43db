// SPDX-License-Identifier: BSD-3-Clause
// What a toolstack asks of the machine. For a privileged domain, and bound to the Xen whose headers halvm was built
// with. [xen/sysctl.h]
//
// Errors of every call here: not_privileged() in an ordinary domain, other_interface() on a Xen of another version.
#pragma once

#include <halvm/bytes.hpp>
#include <halvm/xen/domctl.hpp>

#include <vector>

namespace halvm::xen::sysctl {

/// The machine below all domains.
struct physical_info {
    std::uint32_t threads_per_core;
    std::uint32_t cores_per_socket;
    std::uint32_t cpus;  ///< online
    std::uint32_t max_cpu;
    std::uint32_t nodes;  ///< of memory
    std::uint32_t cpu_khz;
    std::uint32_t capabilities;  ///< XEN_SYSCTL_PHYSCAP_*: what domains it can run
    std::uint64_t total_pages;
    std::uint64_t free_pages;
    std::uint64_t scrub_pages;  ///< free, to be zeroed before they are given out
    gfn max_frame;
    std::array<std::uint32_t, 8> cpu_features;
};

/// [xen/domctl.h: XEN_SCHEDULER_*]
enum class scheduler : std::uint32_t {
    credit = XEN_SCHEDULER_CREDIT,
    credit2 = XEN_SCHEDULER_CREDIT2,
    arinc653 = XEN_SCHEDULER_ARINC653,
    rtds = XEN_SCHEDULER_RTDS,
    null = XEN_SCHEDULER_NULL,
};

/// Where a CPU is; all are XEN_INVALID_*_ID for one that is not there.
struct cpu_place {
    std::uint32_t core;
    std::uint32_t socket;
    std::uint32_t node;
};

namespace detail {

template <Platform Domain>
result<void> control(Domain& domain, const char* attempted, std::uint32_t command, xen_sysctl_t& request) {
    return versioned_call(domain, __HYPERVISOR_sysctl, attempted, command, XEN_SYSCTL_sched_id,
                          XEN_SYSCTL_INTERFACE_VERSION, request);
}

}  // namespace detail

template <Platform Domain>
result<physical_info> physinfo(Domain& domain) {
    xen_sysctl_t request{};
    if (const auto done = detail::control(domain, "sysctl physinfo", XEN_SYSCTL_physinfo, request); !done)
        return failure(done.error());
    const auto& raw = request.u.physinfo;
    physical_info out{.threads_per_core = raw.threads_per_core,
                      .cores_per_socket = raw.cores_per_socket,
                      .cpus = raw.nr_cpus,
                      .max_cpu = raw.max_cpu_id,
                      .nodes = raw.nr_nodes,
                      .cpu_khz = raw.cpu_khz,
                      .capabilities = raw.capabilities,
                      .total_pages = raw.total_pages,
                      .free_pages = raw.free_pages,
                      .scrub_pages = raw.scrub_pages,
                      .max_frame = gfn{raw.max_mfn},
                      .cpu_features = {}};
    std::copy_n(raw.hw_cap, out.cpu_features.size(), out.cpu_features.begin());
    return out;
}

template <Platform Domain>
result<scheduler> scheduler_in_use(Domain& domain) {
    xen_sysctl_t request{};
    if (const auto done = detail::control(domain, "sysctl sched_id", XEN_SYSCTL_sched_id, request); !done)
        return failure(done.error());
    return scheduler{request.u.sched_id.sched_id};
}

/// All domains from number `first` on, in order.
template <Platform Domain>
result<std::vector<domctl::info>> domains(Domain& domain, domid first = dom0) {
    std::vector<domctl::info> out;
    std::array<xen_domctl_getdomaininfo_t, 16> some{};
    for (std::uint32_t next = raw(first);;) {
        xen_sysctl_t request{};
        auto& list = request.u.getdomaininfolist;
        list.first_domain = static_cast<domid_t>(next);
        list.max_domains = some.size();
        set_xen_guest_handle(list.buffer, some.data());
        const auto done = detail::control(domain, "sysctl getdomaininfolist", XEN_SYSCTL_getdomaininfolist, request);
        if (!done)
            return failure(done.error());
        const auto count = std::min<std::size_t>(list.num_domains, some.size());
        for (std::size_t i = 0; i < count; ++i)
            out.push_back(domctl::to_info(some[i]));
        if (count < some.size())
            return out;
        next = raw(out.back().id) + 1u;
        if (next >= DOMID_FIRST_RESERVED)
            return out;
    }
}

/// Where each CPU is, by its number.
template <Platform Domain>
result<std::vector<cpu_place>> cpu_topology(Domain& domain) {
    constexpr auto attempted = "sysctl cputopoinfo";
    // Asked with no array it answers how many there are.
    xen_sysctl_t request{};
    if (const auto done = detail::control(domain, attempted, XEN_SYSCTL_cputopoinfo, request); !done)
        return failure(done.error());
    std::vector<xen_sysctl_cputopo_t> places(request.u.cputopoinfo.num_cpus);
    set_xen_guest_handle(request.u.cputopoinfo.cputopo, places.data());
    if (const auto done = detail::control(domain, attempted, XEN_SYSCTL_cputopoinfo, request); !done)
        return failure(done.error());
    places.resize(std::min<std::size_t>(places.size(), request.u.cputopoinfo.num_cpus));
    std::vector<cpu_place> out;
    for (const auto& place : places)
        out.push_back({place.core, place.socket, place.node});
    return out;
}

/// Reads what Xen has written to its console, from place `index` on, into `into`, and moves `index` behind it. Places
/// count all bytes since the start, in 32 bits; one that is no longer kept is moved to the oldest that is. Returns how
/// many bytes; 0 when there is no more.
template <Platform Domain>
result<std::size_t> read_console(Domain& domain, bytes into, std::uint32_t& index) {
    xen_sysctl_t request{};
    auto& read = request.u.readconsole;
    read.incremental = 1;
    read.index = index;
    set_xen_guest_handle(read.buffer, reinterpret_cast<char*>(into.data()));
    read.count = static_cast<std::uint32_t>(std::min<std::size_t>(into.size(), UINT32_MAX));
    if (const auto done = detail::control(domain, "sysctl readconsole", XEN_SYSCTL_readconsole, request); !done)
        return failure(done.error());
    index = read.index;
    return std::min<std::size_t>(read.count, into.size());
}

}  // namespace halvm::xen::sysctl
