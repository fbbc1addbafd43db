// SPDX-License-Identifier: BSD-3-Clause
#include "information.hpp"

#include "hypervisor.hpp"

#include <algorithm>
#include <cstring>

namespace halvm::sim {
namespace {

/// A text into an array of Xen's, cut to fit with its zero.
template <std::size_t Size>
void put(char (&into)[Size], std::string_view text) {
    const auto size = std::min(text.size(), Size - 1);
    *std::copy_n(text.begin(), size, into) = '\0';
}

}  // namespace

long xen_version(hypervisor& host, domain& who, unsigned long operation, void* argument) {
    const description& xen = host.description;
    switch (operation) {
    case XENVER_version: return xen.version;
    case XENVER_extraversion: put(*static_cast<xen_extraversion_t*>(argument), xen.extra_version); return 0;
    case XENVER_changeset: put(*static_cast<xen_changeset_info_t*>(argument), xen.changeset); return 0;
    case XENVER_capabilities: put(*static_cast<xen_capabilities_info_t*>(argument), xen.capabilities); return 0;
    case XENVER_commandline:
        put(*static_cast<xen_commandline_t*>(argument), who.privileged() ? xen.command_line : "<denied>");
        return 0;
    case XENVER_compile_info: {
        auto& info = *static_cast<xen_compile_info_t*>(argument);
        // The first one fills its array to the end, without a zero.
        std::fill(std::begin(info.compiler), std::end(info.compiler), 'c');
        put(info.compile_by, "me");
        put(info.compile_domain, "here");
        put(info.compile_date, "today");
        return 0;
    }
    case XENVER_get_features: {
        auto& info = *static_cast<xen_feature_info_t*>(argument);
        if (info.submap_idx >= xen.features.size())
            return -XEN_EINVAL;
        info.submap = xen.features[info.submap_idx];
        return 0;
    }
    case XENVER_platform_parameters:
        static_cast<xen_platform_parameters_t*>(argument)->virt_start = 0xffff'8000'0000'0000;
        return 0;
    case XENVER_pagesize: return page_size;
    case XENVER_guest_handle:
        std::memcpy(argument, who.control.handle.bytes.data(), sizeof(xen_domain_handle_t));
        return 0;
    case XENVER_build_id: {
        if (!who.privileged())
            return -XEN_EPERM;
        if (xen.build_id.empty())
            return -XEN_ENODATA;
        const auto size = static_cast<long>(xen.build_id.size());
        if (argument == nullptr)
            return size;
        std::uint32_t room;
        std::memcpy(&room, argument, sizeof room);
        if (room < xen.build_id.size())
            return -XEN_ENOBUFS;
        std::memcpy(static_cast<char*>(argument) + offsetof(xen_build_id_t, buf), xen.build_id.data(),
                    xen.build_id.size());
        return size;
    }
    default: return -XEN_ENOSYS;
    }
}

long vcpu_op(hypervisor& host, domain&, unsigned long operation, unsigned long vcpu, void* argument) {
    if (vcpu != 0)
        return -XEN_ENOENT;
    switch (operation) {
    case VCPUOP_is_up: return 1;
    case VCPUOP_get_runstate_info: {
        auto& info = *static_cast<vcpu_runstate_info_t*>(argument);
        info = {.state = RUNSTATE_running, .state_entry_time = host.now(), .time = {}};
        info.time[RUNSTATE_blocked] = host.now();
        return 0;
    }
    default: return -XEN_ENOSYS;
    }
}

long multicall(hypervisor& host, domain& who, multicall_entry* entries, unsigned long count) {
    for (unsigned long i = 0; i < count; ++i) {
        auto& entry = entries[i];
        const auto& words = entry.args;
        const long status = entry.op == __HYPERVISOR_multicall
                                ? -XEN_EINVAL
                                : host.dispatch(who, entry.op, {words[0], words[1], words[2], words[3], words[4]});
        entry.result = static_cast<xen_ulong_t>(status);
    }
    return 0;
}

}  // namespace halvm::sim
