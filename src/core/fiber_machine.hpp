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
inline void adopt_machine(task& main) noexcept { main.kept[0] = reinterpret_cast<std::uintptr_t>(libc::musl::self()); }

inline void begin_machine(task& one, void* memory) noexcept {
    static int last_tid = 1;
    libc::begin_fibers();
    one.kept[0] =
        reinterpret_cast<std::uintptr_t>(libc::thread_block_init(memory, libc::musl::self()->canary, ++last_tid));
}

/// Runs in the fiber that ends.
inline void end_machine(task&) noexcept { libc::end_of_fiber(); }

inline void leave_machine(task&, task& to) noexcept { arch::set_fs_base(to.kept[0]); }
inline void enter_machine(task&) noexcept {}

}  // namespace halvm::fiber
