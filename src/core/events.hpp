// SPDX-License-Identifier: BSD-3-Clause
// Events are polled: they stay masked while code runs, and only the idle loop lets Xen deliver one.
#pragma once

#include <halvm/xen/events.hpp>

#include <cstdint>

namespace halvm::core {

inline constexpr std::uint64_t no_deadline = UINT64_MAX;

/// Before the scheduler.
void events_start() noexcept;

/// The one object that programs see too. Looking at it here leaves Xen's ABI as it is.
xen::event_channels& events() noexcept;

/// Wakes the fibers whose ports were signalled. Cheap when nothing has come.
inline void events_poll() noexcept { events().poll(); }

/// Blocks the domain until any event comes, or until `deadline`.
void events_block(std::uint64_t deadline) noexcept;

/// The port of a virtual interrupt of this VCPU. Panics when Xen refuses.
xen::port bind_virq(xen::virq which) noexcept;

}  // namespace halvm::core
