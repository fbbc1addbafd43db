// SPDX-License-Identifier: BSD-3-Clause
// The heap under malloc and operator new: size classes in 16 KiB slabs, whole pages above that.
// There is one VCPU and nothing interrupts, so there are no locks.
#pragma once

#include <cstddef>

namespace halvm::core {

/// Uninitialised memory for `size` bytes, or nullptr when there is none. `alignment` is a power of two.
void* heap_allocate(std::size_t size, std::size_t alignment = 16) noexcept;

/// Gives back what heap_allocate() returned; nullptr is fine. Any other address, and a second free, panics.
void heap_free(void* memory) noexcept;

/// How many bytes the block at `memory` really has.
std::size_t heap_usable(const void* memory) noexcept;

}  // namespace halvm::core
