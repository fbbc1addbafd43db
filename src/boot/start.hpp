// SPDX-License-Identifier: BSD-3-Clause
#pragma once

namespace halvm::boot {

/// What follows once memory, traps and core::domain are there, whatever protocol started the domain: CPU
/// features, the main fiber's thread block, the C library, and halvm_main().
[[noreturn]] void start();

}  // namespace halvm::boot
