// SPDX-License-Identifier: BSD-3-Clause
// What the CPU and Xen offer, enabled; and what the program was compiled for, checked against it.
#pragma once

#include <cstdint>

namespace halvm::arch {

struct cpu_features {
    bool xsave = false;
    bool fsgsbase = false;
    bool rdrand = false;
    bool rdseed = false;
};

/// Filled by enable_features().
extern cpu_features features;

/// Turns on what a PV domain starts without although CPUID offers it: FSGSBASE, and XSAVE with AVX.
void enable_features() noexcept;

/// The name of the first CPU feature that the image's objects were compiled for (GNU_PROPERTY_X86_ISA_1_NEEDED)
/// and that is not there, or nullptr. Costs next to nothing for an image of the x86-64 baseline.
const char* missing_feature() noexcept;

/// Points FS at a thread block.
void set_fs_base(std::uintptr_t base) noexcept;

}  // namespace halvm::arch
