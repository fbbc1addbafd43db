// SPDX-License-Identifier: BSD-3-Clause
// The address space of a PV domain.
//
//   1 MiB            the image, where it was linked: text R X, constants R, data R W, the stack's guard page and
//                    everything around the image not mapped. Pages that Xen shares with the domain (shared_info,
//                    the console's and the XenStore's rings) stand in for pages of the image's .bss.
//   512 MiB          the direct map: pseudo-physical page n at 512 MiB + n * 4 KiB, never executable. It grows by
//                    chunks of 2 MiB, when the page allocator asks.
//   511 GiB          windows.hpp: addresses for frames that are not the domain's own memory.
//
// Nothing else is mapped. The builder's own first mapping is taken apart at start, and its page tables are hung
// into the direct map instead of being built again: Xen executes 80,000 instructions to validate a full page table
// and 22,000 for an empty one, but hardly any for one that it knows. So the direct map begins in the same GiB as the
// image, whose directory is there already.
// A chunk that holds pages of the image stays read-only in the direct map until memory is so short that it is
// worth protecting the image's pages there one by one.
#pragma once

#include <halvm/xen/numbers.hpp>

#include <cstddef>
#include <cstdint>

namespace halvm::arch {

using xen::page_size;
inline constexpr std::size_t chunk_pages = 512;
inline constexpr std::size_t chunk_size = chunk_pages * page_size;
inline constexpr std::uintptr_t direct_map = std::uintptr_t{512} << 20;

using xen::pfn;

inline void* direct_address(pfn frame) noexcept {
    return reinterpret_cast<void*>(direct_map + static_cast<std::uint64_t>(frame) * page_size);
}
inline pfn direct_frame(const void* address) noexcept {
    return pfn{(reinterpret_cast<std::uintptr_t>(address) - direct_map) / page_size};
}

/// The page of the domain behind an address of the direct map or of the image.
inline pfn frame_under(const void* address) noexcept {
    const auto at = reinterpret_cast<std::uintptr_t>(address);
    return pfn{(at >= direct_map ? at - direct_map : at) / page_size};
}
/// The machine frame behind a page of the domain.
xen::gfn machine_frame(pfn frame) noexcept;
/// Remembers another.
void set_machine_frame(pfn frame, xen::gfn behind) noexcept;

/// The windows begin where the direct map would have this frame; no domain has so many.
inline constexpr std::uintptr_t windows = std::uintptr_t{511} << 30;
inline constexpr std::uint64_t window_frame = (windows - direct_map) / page_size;

struct memory_layout {
    std::uint64_t pages;         ///< of the whole domain
    std::uint64_t image_chunks;  ///< the first chunks, read-only in the direct map because the image is in them
    std::uint64_t first_free;    ///< first page after what the builder and paging_start() use
    std::uint64_t mapped_pages;  ///< the direct map reaches this far; a multiple of chunk_pages
};

/// Builds the address space above. `info` is where Xen put it; afterwards it is found at `direct(info)`.
memory_layout paging_start(const start_info_t& info) noexcept;

/// Maps the chunk that begins at `first` with `table`, a page of the direct map that becomes its page table;
/// `directory` becomes the next level's table when needs_directory() says so. What is beyond the domain's last page is
/// left unmapped: the windows' page tables are made so, too.
void map_chunk(pfn first, void* table, void* directory) noexcept;
bool needs_directory(pfn first) noexcept;

/// Makes the image's chunks writable in the direct map, all but the pages that the image needs protected.
void open_image_chunks() noexcept;

/// Takes one page of the direct map out of it, for good: a guard.
void unmap_page(void* page) noexcept;

}  // namespace halvm::arch
