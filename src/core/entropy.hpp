// SPDX-License-Identifier: BSD-3-Clause
// Random bytes: ChaCha20 keyed from RDSEED or RDRAND, else from what differs between two starts.
#pragma once

#include <cstddef>

namespace halvm::core {

/// Fills `into`. Never blocks and never fails; see entropy_is_hardware() for what the bytes are worth.
void entropy_fill(void* into, std::size_t size) noexcept;

/// False when the CPU offers neither RDSEED nor RDRAND: then the seed is only clocks, addresses and the
/// domain's identity, which another domain may guess.
bool entropy_is_hardware() noexcept;

}  // namespace halvm::core
