// SPDX-License-Identifier: BSD-3-Clause
// The registers as traps.S stores them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace halvm::arch {

struct trap_frame {
    std::uint64_t r15, r14, r13, r12, rbp, rbx, r10, r9, r8, rax, rdx, rsi, rdi;
    std::uint64_t vector;
    std::uint64_t rcx, r11;  // from here on as Xen pushes it, with a 0 put in where the CPU has no error code
    std::uint64_t error_code;
    std::uint64_t rip, cs, rflags, rsp, ss;
};
static_assert(offsetof(trap_frame, vector) == 104 && offsetof(trap_frame, rip) == 136 && sizeof(trap_frame) == 176);

/// Tells Xen where faults go: all of them end in a panic that names the fault.
void install_traps() noexcept;

}  // namespace halvm::arch
