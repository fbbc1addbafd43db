// SPDX-License-Identifier: BSD-3-Clause
// What a toolstack does to domains: make, stop, measure and end them. For a privileged domain, and bound to the Xen
// whose headers halvm was built with. [xen/domctl.h]
//
// Errors of every call here: not_privileged() in an ordinary domain, other_interface() on a Xen of another version,
// ESRCH for a domain that is not there; each says more where it has more. None of them waits, but destroy().
#pragma once

#include <halvm/fiber/scheduler.hpp>
#include <halvm/xen/domain.hpp>
#include <halvm/xen/privilege.hpp>
#include <halvm/xen/tools_abi.hpp>
#include <halvm/xen/vcpu.hpp>

#include <algorithm>
#include <chrono>
#include <optional>

namespace halvm::xen::domctl {

/// A set of physical CPUs, by number.
class cpu_set {
public:
    static constexpr std::size_t capacity = 4096;

    static cpu_set all() noexcept {
        cpu_set every;
        every.words_.fill(~std::uint64_t{0});
        return every;
    }
    /// Pre, of these three: cpu < capacity.
    cpu_set& insert(unsigned cpu) noexcept {
        words_.at(cpu / 64) |= std::uint64_t{1} << cpu % 64;
        return *this;
    }
    cpu_set& erase(unsigned cpu) noexcept {
        words_.at(cpu / 64) &= ~(std::uint64_t{1} << cpu % 64);
        return *this;
    }
    [[nodiscard]] bool contains(unsigned cpu) const noexcept { return (words_.at(cpu / 64) >> cpu % 64 & 1) != 0; }
    friend bool operator==(const cpu_set&, const cpu_set&) = default;

    /// What Xen is told to read or to fill.
    [[nodiscard]] xenctl_bitmap_t bitmap() noexcept {
        xenctl_bitmap_t map{};
        set_xen_guest_handle(map.bitmap, reinterpret_cast<std::uint8_t*>(words_.data()));
        map.nr_bits = capacity;
        return map;
    }

private:
    std::array<std::uint64_t, capacity / 64> words_{};
};

/// One domain, at one moment.
struct info {
    domid id;
    bool dying;
    bool hvm;  ///< of the CPU's own virtualisation, PVH too; else PV
    bool paused;
    bool blocked;
    bool running;
    std::optional<unsigned> shutdown_reason;  ///< SHUTDOWN_*, once it has shut itself down
    std::uint64_t pages;                      ///< that it has
    std::uint64_t max_pages;                  ///< that it may have
    std::uint64_t shared_pages;
    gfn shared_info;
    std::chrono::nanoseconds cpu_time;  ///< of all its VCPUs, since it was made
    std::uint32_t online_vcpus;
    std::optional<vcpu> last_vcpu;  ///< none before max_vcpus()
    std::uint32_t security_label;   ///< ssidref, for Xen's security module
    domain_handle handle;
    std::uint32_t cpupool;
};

/// What Xen writes of a domain, in our words.
inline info to_info(const xen_domctl_getdomaininfo_t& raw) noexcept {
    info out{};
    const auto is = [&](std::uint32_t flag) { return (raw.flags & flag) != 0; };
    out.id = domid{raw.domain};
    out.dying = is(XEN_DOMINF_dying);
    out.hvm = is(XEN_DOMINF_hvm_guest);
    out.paused = is(XEN_DOMINF_paused);
    out.blocked = is(XEN_DOMINF_blocked);
    out.running = is(XEN_DOMINF_running);
    if (is(XEN_DOMINF_shutdown))
        out.shutdown_reason = raw.flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask;
    out.pages = raw.tot_pages;
    out.max_pages = raw.max_pages;
    out.shared_pages = raw.shr_pages;
    out.shared_info = gfn{raw.shared_info_frame};
    out.cpu_time = std::chrono::nanoseconds{raw.cpu_time};
    out.online_vcpus = raw.nr_online_vcpus;
    if (raw.max_vcpu_id != XEN_INVALID_MAX_VCPU_ID)
        out.last_vcpu = vcpu{raw.max_vcpu_id};
    out.security_label = raw.ssidref;
    std::copy_n(raw.handle, out.handle.bytes.size(), out.handle.bytes.begin());
    out.cpupool = raw.cpupool;
    return out;
}

/// What create() makes.
struct settings {
    domain_handle handle{};
    std::uint32_t max_vcpus = 1;
    std::uint32_t max_port = 1023;               ///< the highest port that it may have
    std::optional<std::int32_t> grant_frames{};  ///< of its grant table, at most; Xen's default when not given
    std::optional<std::int32_t> maptrack_frames{};
    unsigned grant_version = 1;  ///< the newest that it may choose
    std::uint32_t cpupool = 0;
    std::uint32_t security_label = 0;
};

namespace detail {

/// Does `command` to `to`; `request.u` is filled in by the caller, and by Xen.
template <Platform Domain>
result<void> control(Domain& domain, const char* attempted, std::uint32_t command, domid to, xen_domctl_t& request) {
    request.domain = raw(to);
    static_assert(dom0 == domid{}, "whom the harmless request is about");
    return versioned_call(domain, __HYPERVISOR_domctl, attempted, command, XEN_DOMCTL_getdomaininfo,
                          XEN_DOMCTL_INTERFACE_VERSION, request);
}

template <Platform Domain>
result<void> control(Domain& domain, const char* attempted, std::uint32_t command, domid to) {
    xen_domctl_t request{};
    return control(domain, attempted, command, to, request);
}

template <Platform Domain>
result<domid> resolve(Domain& domain, domid id) {
    return id == self ? own_domid(domain) : result<domid>{id};
}

}  // namespace detail

/// A new PV domain, paused, without memory or VCPUs. Errors: EEXIST, `wanted` is taken; ENOMEM.
template <Platform Domain>
result<domid> create(Domain& domain, const settings& with, std::optional<domid> wanted = {}) {
    xen_domctl_t request{};
    auto& made = request.u.createdomain;
    made.ssidref = with.security_label;
    std::copy(with.handle.bytes.begin(), with.handle.bytes.end(), made.handle);
    made.max_vcpus = with.max_vcpus;
    made.max_evtchn_port = with.max_port;
    made.max_grant_frames = with.grant_frames.value_or(-1);
    made.max_maptrack_frames = with.maptrack_frames.value_or(-1);
    made.grant_opts = XEN_DOMCTL_GRANT_version(with.grant_version);
    made.cpupool_id = with.cpupool;
    // 0 asks Xen for a number of its own choice.
    const auto done =
        detail::control(domain, "domctl createdomain", XEN_DOMCTL_createdomain, wanted.value_or(domid{0}), request);
    if (!done)
        return failure(done.error());
    return domid{request.domain};
}

/// Ends a domain and frees what it had. **Blocks**: gives way to other fibers between the steps that Xen makes of it.
template <Platform Domain>
result<void> destroy(Domain& domain, domid id) {
    for (;;) {
        auto done = detail::control(domain, "domctl destroydomain", XEN_DOMCTL_destroydomain, id);
        if (done || done.error() != std::error_code{XEN_EAGAIN, hypercall_category()})
            return done;
        fiber::this_scheduler().yield();
    }
}

/// Stops its VCPUs until as many calls of unpause().
template <Platform Domain>
result<void> pause(Domain& domain, domid id) {
    return detail::control(domain, "domctl pausedomain", XEN_DOMCTL_pausedomain, id);
}

/// Errors: EINVAL, it is not paused.
template <Platform Domain>
result<void> unpause(Domain& domain, domid id) {
    return detail::control(domain, "domctl unpausedomain", XEN_DOMCTL_unpausedomain, id);
}

/// `self` is the caller's own domain.
template <Platform Domain>
result<info> get_info(Domain& domain, domid id) {
    constexpr auto attempted = "domctl getdomaininfo";
    const auto number = detail::resolve(domain, id);
    if (!number)
        return failure(number.error());
    xen_domctl_t request{};
    if (const auto done = detail::control(domain, attempted, XEN_DOMCTL_getdomaininfo, *number, request); !done)
        return failure(done.error());
    // For a number that nobody has, some versions answer with the next domain that there is.
    if (domid{request.u.getdomaininfo.domain} != *number)
        return failure(hypercall_error(-XEN_ESRCH, attempted));
    return to_info(request.u.getdomaininfo);
}

/// Makes its VCPUs. Pre: `count` is what it was created with. Errors: EINVAL, it is not.
template <Platform Domain>
result<void> max_vcpus(Domain& domain, domid id, std::uint32_t count) {
    xen_domctl_t request{};
    request.u.max_vcpus.max = count;
    return detail::control(domain, "domctl max_vcpus", XEN_DOMCTL_max_vcpus, id, request);
}

/// How much memory it may have at most.
template <Platform Domain>
result<void> max_memory(Domain& domain, domid id, std::uint64_t kibibytes) {
    xen_domctl_t request{};
    request.u.max_mem.max_memkb = kibibytes;
    return detail::control(domain, "domctl max_mem", XEN_DOMCTL_max_mem, id, request);
}

/// On which CPUs `which` may run. Returns those of them that are there. Errors: EINVAL, none is, or no such VCPU.
template <Platform Domain>
result<cpu_set> set_vcpu_affinity(Domain& domain, domid id, vcpu which, cpu_set cpus) {
    xen_domctl_t request{};
    request.u.vcpuaffinity.vcpu = raw(which);
    request.u.vcpuaffinity.flags = XEN_VCPUAFFINITY_HARD;
    request.u.vcpuaffinity.cpumap_hard = cpus.bitmap();
    const auto done = detail::control(domain, "domctl setvcpuaffinity", XEN_DOMCTL_setvcpuaffinity, id, request);
    if (!done)
        return failure(done.error());
    return cpus;
}

template <Platform Domain>
result<cpu_set> vcpu_affinity(Domain& domain, domid id, vcpu which) {
    cpu_set cpus;
    xen_domctl_t request{};
    request.u.vcpuaffinity.vcpu = raw(which);
    request.u.vcpuaffinity.flags = XEN_VCPUAFFINITY_HARD;
    request.u.vcpuaffinity.cpumap_hard = cpus.bitmap();
    const auto done = detail::control(domain, "domctl getvcpuaffinity", XEN_DOMCTL_getvcpuaffinity, id, request);
    if (!done)
        return failure(done.error());
    return cpus;
}

template <Platform Domain>
result<void> set_handle(Domain& domain, domid id, const domain_handle& handle) {
    xen_domctl_t request{};
    std::copy(handle.bytes.begin(), handle.bytes.end(), request.u.setdomainhandle.handle);
    return detail::control(domain, "domctl setdomainhandle", XEN_DOMCTL_setdomainhandle, id, request);
}

/// Has Xen write a page of hypercall stubs into a frame of the domain's.
template <Platform Domain>
result<void> init_hypercalls(Domain& domain, domid id, gfn page) {
    xen_domctl_t request{};
    request.u.hypercall_init.gmfn = raw(page);
    return detail::control(domain, "domctl hypercall_init", XEN_DOMCTL_hypercall_init, id, request);
}

/// Whether it may have this physical interrupt. Errors: EPERM, the caller has not got it itself; EINVAL.
template <Platform Domain>
result<void> allow_irq(Domain& domain, domid id, pirq which, bool allowed) {
    xen_domctl_t request{};
    request.u.irq_permission.pirq = raw(which);
    request.u.irq_permission.allow_access = allowed;
    return detail::control(domain, "domctl irq_permission", XEN_DOMCTL_irq_permission, id, request);
}

/// Whether it may use these I/O ports.
template <Platform Domain>
result<void> allow_io_ports(Domain& domain, domid id, std::uint16_t first, std::uint32_t count, bool allowed) {
    xen_domctl_t request{};
    request.u.ioport_permission.first_port = first;
    request.u.ioport_permission.nr_ports = count;
    request.u.ioport_permission.allow_access = allowed;
    return detail::control(domain, "domctl ioport_permission", XEN_DOMCTL_ioport_permission, id, request);
}

/// Whether it may map these frames of the machine.
template <Platform Domain>
result<void> allow_io_memory(Domain& domain, domid id, gfn first, std::uint64_t count, bool allowed) {
    xen_domctl_t request{};
    request.u.iomem_permission.first_mfn = raw(first);
    request.u.iomem_permission.nr_mfns = count;
    request.u.iomem_permission.allow_access = allowed;
    return detail::control(domain, "domctl iomem_permission", XEN_DOMCTL_iomem_permission, id, request);
}

}  // namespace halvm::xen::domctl
