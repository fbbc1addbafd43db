// SPDX-License-Identifier: BSD-3-Clause
// The page allocator: a buddy system inside chunks of 2 MiB, and runs of whole chunks above that. A chunk is
// mapped when it is first needed, so start-up does not grow with the domain's memory.
#pragma once

#include <cstddef>
#include <cstdint>

namespace halvm::core {

/// Page-aligned, writable, never executable memory of at least `bytes`, or nullptr when there is none.
/// Blocks of up to 2 MiB are aligned to their size rounded up to a power of two. The contents are unspecified.
void* pages_allocate(std::size_t bytes) noexcept;

/// Gives back exactly what pages_allocate(bytes) returned.
void pages_free(void* memory, std::size_t bytes) noexcept;

/// Makes the pages around the image writable and usable, which memory running short would do too.
void pages_open_image() noexcept;

struct pages_statistics {
    std::uint64_t total;   ///< pages that the domain has
    std::uint64_t mapped;  ///< pages that the allocator has mapped so far
    std::uint64_t free;    ///< mapped pages that nobody owns
};
pages_statistics pages_count() noexcept;

}  // namespace halvm::core
