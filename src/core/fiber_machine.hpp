// SPDX-License-Identifier: BSD-3-Clause
// What a domain's processor keeps for each fiber beside its registers: FS base, and with it all that lies in the
// fiber's thread block: thread_local objects, errno, the exceptions in flight.
#pragma once

#include "arch/x86_64/features.hpp"
#include "libc/exit_hooks.hpp"
#include "libc/musl_layout.hpp"
#include "libc/startup.hpp"

#include <halvm/fiber/task.hpp>

namespace halvm::fiber {

inline std::size_t machine_bytes() noexcept { return libc::thread_block_size(); }

/// The thread that called first has its block already.
/// Nobody watches a domain for data races.
inline void happens_after(const void*) noexcept {}
inline void happens_before(const void*) noexcept {}

inline void adopt_machine(task& main) noexcept {
    main.kept[0] = reinterpret_cast<std::uintptr_t>(libc::musl::self());
    libc::musl::self()->task = &main;
}

inline void begin_machine(task& one, void* memory) noexcept {
    libc::begin_fibers();
    void* const block = libc::thread_block_init(memory, libc::musl::self()->canary, one.number);
    static_cast<libc::musl::thread*>(block)->task = &one;
    one.kept[0] = reinterpret_cast<std::uintptr_t>(block);
}

/// Runs in the fiber that ends.
inline void end_machine(task&) noexcept { libc::end_of_fiber(); }

inline void forget_machine(task&) noexcept {}

inline void leave_machine(task&, task& to) noexcept { arch::set_fs_base(to.kept[0]); }

constexpr bool announces_switches() noexcept { return false; }
inline void enter_machine(task&) noexcept {}

}  // namespace halvm::fiber
