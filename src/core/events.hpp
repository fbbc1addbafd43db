// SPDX-License-Identifier: BSD-3-Clause
// Event channels, polled: events stay masked while code runs, and only the idle loop lets Xen deliver one.
// [xen/event_channel.h], the 2-level ABI.
#pragma once

#include "core/hypercall.hpp"

#include <cstdint>

namespace halvm::core {

inline constexpr std::uint64_t no_deadline = UINT64_MAX;

/// Lets `local` wake this domain.
void event_unmask(xen::port local) noexcept;

/// Blocks the calling fiber until `local` was signalled (and takes the signal), or until `deadline` of
/// monotonic_ns(). False when the deadline came first.
bool event_wait(xen::port local, std::uint64_t deadline) noexcept;

/// Wakes the fibers whose ports were signalled. Cheap when nothing has come.
void events_poll() noexcept;

/// Blocks the domain until any event comes, or until `deadline`.
void events_block(std::uint64_t deadline) noexcept;

/// The port of a virtual interrupt (VIRQ_*) of this VCPU, bound on first use. Panics when Xen refuses.
xen::port bind_virq(std::uint32_t virq) noexcept;

}  // namespace halvm::core
