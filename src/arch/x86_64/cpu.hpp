// SPDX-License-Identifier: BSD-3-Clause
// One inline function an instruction. Nothing outside src/arch and src/boot holds assembly.
#pragma once

#include <halvm/xen/abi.hpp>

#include <cstdint>

extern "C" shared_info_t halvm_shared_info;

namespace halvm::arch {

struct cpuid_result {
    std::uint32_t eax, ebx, ecx, edx;
};

/// CPUID as Xen wants this domain to see it: the prefix makes Xen emulate it. [xen/arch-x86/xen.h]
inline cpuid_result cpuid(std::uint32_t leaf, std::uint32_t subleaf = 0) noexcept {
    cpuid_result out{leaf, 0, subleaf, 0};
    asm volatile(XEN_CPUID : "+a"(out.eax), "=b"(out.ebx), "+c"(out.ecx), "=d"(out.edx));
    return out;
}

inline std::uint64_t read_cr4() noexcept {
    std::uint64_t value;
    asm volatile("mov %%cr4, %0" : "=r"(value));
    return value;
}

inline void write_cr4(std::uint64_t value) noexcept { asm volatile("mov %0, %%cr4" : : "r"(value)); }

inline void xsetbv(std::uint32_t index, std::uint64_t value) noexcept {
    asm volatile("xsetbv" : : "c"(index), "a"(std::uint32_t(value)), "d"(std::uint32_t(value >> 32)));
}

/// Needs CR4.FSGSBASE.
inline void wrfsbase(std::uintptr_t base) noexcept { asm volatile("wrfsbase %0" : : "r"(base) : "memory"); }

/// Ordered after the loads before it, so that a time stamp is not older than the time information it goes with.
inline std::uint64_t rdtsc() noexcept {
    std::uint32_t low, high;
    asm volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return std::uint64_t{high} << 32 | low;
}

inline bool rdrand(std::uint64_t& value) noexcept {
    bool done;
    asm volatile("rdrand %0" : "=r"(value), "=@ccc"(done));
    return done;
}

inline bool rdseed(std::uint64_t& value) noexcept {
    bool done;
    asm volatile("rdseed %0" : "=r"(value), "=@ccc"(done));
    return done;
}

inline void pause() noexcept { asm volatile("pause"); }

/// Loads and stores keep their order around this; on x86 only the compiler and a store followed by a load would
/// change it, and the hypercall that follows a published ring index orders the latter.
inline void compiler_barrier() noexcept { asm volatile("" : : : "memory"); }

/// The default state of x87 and SSE: all exceptions masked, round to nearest.
inline void reset_fpu() noexcept {
    const std::uint16_t control = 0x37f;
    const std::uint32_t mxcsr = 0x1f80;
    asm volatile("fninit; fldcw %0; ldmxcsr %1" : : "m"(control), "m"(mxcsr));
}

/// The address whose access faulted: a PV domain's CR2.
inline std::uintptr_t fault_address() noexcept { return halvm_shared_info.vcpu_info[0].arch.cr2; }

}  // namespace halvm::arch
