// SPDX-License-Identifier: BSD-3-Clause
// Events are polled: they stay masked while code runs, and only the idle loop lets Xen deliver one.
#pragma once

#include <halvm/xen/events.hpp>

#include <cstddef>
#include <cstdint>
#include <new>

namespace halvm::core {

inline constexpr std::uint64_t no_deadline = UINT64_MAX;

/// Before the scheduler.
void events_start() noexcept;

/// Where the one object lies that programs see too. Neither constructor nor destructor is run by the program: events
/// are there before and after it.
alignas(xen::event_channels) extern std::byte event_storage[sizeof(xen::event_channels)];

/// Looking at it here leaves Xen's ABI as it is.
inline xen::event_channels& events() noexcept {
    return *std::launder(reinterpret_cast<xen::event_channels*>(event_storage));
}

/// Wakes the fibers whose ports were signalled. Cheap when nothing has come.
inline void events_poll() noexcept { events().poll(); }

/// Blocks the domain until any event comes, or until `deadline`.
void events_block(std::uint64_t deadline) noexcept;

/// The port of a virtual interrupt of this VCPU. Panics when Xen refuses.
xen::port bind_virq(xen::virq which) noexcept;

/// The timer's, bound on first use.
xen::port timer_port() noexcept;

}  // namespace halvm::core
