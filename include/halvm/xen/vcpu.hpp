// SPDX-License-Identifier: BSD-3-Clause
// What Xen knows of the domain's own virtual processors. [xen/vcpu.h]
#pragma once

#include <halvm/xen/platform.hpp>

#include <chrono>

namespace halvm::xen {

/// A virtual processor of the caller's domain, counted from 0.
enum class vcpu : std::uint32_t {};

/// [xen/vcpu.h: RUNSTATE_*]
enum class run_state : int {
    running = RUNSTATE_running,
    runnable = RUNSTATE_runnable,  ///< it would run, but other VCPUs have the processors
    blocked = RUNSTATE_blocked,    ///< it waits for an event
    offline = RUNSTATE_offline,    ///< paused, or down
};

/// How long a VCPU has been in each state since it was made. The sum of the four follows Xen's system time.
struct run_times {
    run_state state;
    std::chrono::nanoseconds since;  ///< the system time at which it came into `state`
    std::chrono::nanoseconds running;
    std::chrono::nanoseconds runnable;
    std::chrono::nanoseconds blocked;
    std::chrono::nanoseconds offline;
};

/// Errors: ENOENT, there is no such VCPU.
template <Platform Domain>
result<run_times> vcpu_run_times(Domain& domain, vcpu which) noexcept {
    vcpu_runstate_info_t info{};
    const auto done =
        checked_call(domain, "vcpu get_runstate_info", __HYPERVISOR_vcpu_op, VCPUOP_get_runstate_info, which, &info);
    if (!done)
        return failure(done.error());
    const auto ns = [](std::uint64_t count) { return std::chrono::nanoseconds{count}; };
    return run_times{run_state{info.state},           ns(info.state_entry_time),
                     ns(info.time[RUNSTATE_running]), ns(info.time[RUNSTATE_runnable]),
                     ns(info.time[RUNSTATE_blocked]), ns(info.time[RUNSTATE_offline])};
}

/// Whether it runs, or would. Errors: ENOENT, there is no such VCPU.
template <Platform Domain>
result<bool> vcpu_is_up(Domain& domain, vcpu which) noexcept {
    return checked_call(domain, "vcpu is_up", __HYPERVISOR_vcpu_op, VCPUOP_is_up, which, nullptr).map([](long up) {
        return up != 0;
    });
}

}  // namespace halvm::xen
