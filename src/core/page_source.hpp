// SPDX-License-Identifier: BSD-3-Clause
// What the page allocator asks of the machine below it: memory by chunks. Boot code implements it over
// src/arch/x86_64/paging.hpp, unit tests over an array.
#pragma once

#include <cstddef>
#include <cstdint>

namespace halvm::core {

inline constexpr std::size_t page_bytes = 4096;
inline constexpr std::size_t chunk_page_count = 512;

/// Page n of the domain is at page_base + n * page_bytes, once it is mapped.
inline constexpr std::uintptr_t page_base = std::uintptr_t{512} << 20;

struct page_source_layout {
    std::uint64_t pages;         ///< of the domain
    std::uint64_t image_pages;   ///< pages of the chunks that hold the image: read-only until opened
    std::uint64_t first_free;    ///< the first page that nobody uses
    std::uint64_t mapped_pages;  ///< mapped from the start, in whole chunks
};

/// Called once, before anything is allocated.
void pages_start(const page_source_layout& layout) noexcept;

/// Maps the chunk whose first page is `first`; the pages `table` and `directory` become page tables for good.
void map_pages(std::uint64_t first, void* table, void* directory) noexcept;
bool needs_page_directory(std::uint64_t first) noexcept;

/// Makes the pages around the image in its own chunks writable.
void open_image_pages() noexcept;

/// The first page of the image. Page 0 is never handed out, so that no address is 0.
std::uint64_t first_image_page() noexcept;

}  // namespace halvm::core
