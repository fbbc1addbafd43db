// SPDX-License-Identifier: BSD-3-Clause
// The hypercalls of the core itself, which must work before there is memory, and when all is lost: no result, no
// allocation; a negative answer is minus an errno of Xen's. [xen/errno.h] Programs have the mechanisms of
// include/halvm/xen instead, whose calls are checked and are tried on a simulated hypervisor.
#pragma once

#include <halvm/xen/guest.hpp>

#include <cstddef>
#include <span>

extern "C" {
/// SCHEDOP_block with the event mask set, as it must be; the mask is set again when this returns.
long halvm_hypercall_block() noexcept;
}

namespace halvm::xen::hypercall {

template <class... Arguments>
long call(unsigned long number, Arguments... arguments) noexcept {
    guest domain;
    return xen::call(domain, number, arguments...);
}

/// [xen/xen.h: HYPERVISOR_mmu_update]
inline long mmu_update(std::span<const mmu_update_t> requests) noexcept {
    return call(__HYPERVISOR_mmu_update, requests.data(), requests.size(), nullptr, DOMID_SELF);
}

/// [xen/xen.h: HYPERVISOR_mmuext_op]
inline long mmuext_op(const mmuext_op_t& operation) noexcept {
    return call(__HYPERVISOR_mmuext_op, &operation, 1, nullptr, DOMID_SELF);
}

/// `traps` ends with an entry whose address is 0. [xen/arch-x86/xen.h]
inline long set_trap_table(const trap_info_t* traps) noexcept { return call(__HYPERVISOR_set_trap_table, traps); }

inline long callback_register_at(std::uint16_t type, void (*address)()) noexcept {
    callback_register_t request{type, 0, reinterpret_cast<xen_callback_t>(address)};
    return call(__HYPERVISOR_callback_op, CALLBACKOP_register, &request);
}

/// Raises VIRQ_TIMER at `deadline` of the system time; 0 disarms it. [xen/xen.h: HYPERVISOR_set_timer_op]
inline long set_timer(std::uint64_t deadline) noexcept { return call(__HYPERVISOR_set_timer_op, deadline); }

inline long vcpu_op(int operation, int vcpu, void* argument) noexcept {
    return call(__HYPERVISOR_vcpu_op, operation, vcpu, argument);
}

/// Does not return when Xen accepts `reason` (SHUTDOWN_*). [xen/sched.h]
inline long shutdown(unsigned reason) noexcept {
    sched_shutdown_t request{reason};
    return call(__HYPERVISOR_sched_op, SCHEDOP_shutdown, &request);
}

/// Has Xen end the domain (SHUTDOWN_watchdog) unless it is set again within `seconds`. An `id` of 0 makes a new timer,
/// and its number is returned; 0 `seconds` removes one. [xen/sched.h: SCHEDOP_watchdog]
inline long watchdog(std::uint32_t id, std::uint32_t seconds) noexcept {
    sched_watchdog_t request{id, seconds};
    return call(__HYPERVISOR_sched_op, SCHEDOP_watchdog, &request);
}

/// Lets other domains run; used while polling.
inline long yield() noexcept { return call(__HYPERVISOR_sched_op, SCHEDOP_yield, nullptr); }

/// Writes to the hypervisor's console; only dom0, and debug builds of Xen, show it.
inline long console_write(const char* text, std::size_t size) noexcept {
    return call(__HYPERVISOR_console_io, CONSOLEIO_write, size, text);
}

/// Reads what was typed at the hypervisor's console; dom0 only. Returns how many bytes.
inline long console_read(char* into, std::size_t size) noexcept {
    return call(__HYPERVISOR_console_io, CONSOLEIO_read, size, into);
}

inline long event_channel_op(int operation, void* argument) noexcept {
    return call(__HYPERVISOR_event_channel_op, operation, argument);
}

/// Tells the other end of `local`. [xen/event_channel.h: EVTCHNOP_send]
inline long evtchn_send(port local) noexcept {
    evtchn_send_t request{static_cast<evtchn_port_t>(local)};
    return event_channel_op(EVTCHNOP_send, &request);
}

/// [xen/arch-x86/xen-x86_64.h: HYPERVISOR_set_segment_base]
inline long set_segment_base(int which, std::uintptr_t base) noexcept {
    return call(__HYPERVISOR_set_segment_base, which, base);
}

}  // namespace halvm::xen::hypercall
