// SPDX-License-Identifier: BSD-3-Clause
// Page addresses with nothing behind them, for frames that are not the domain's own memory: its grant table, what other
// domains grant it, foreign memory. They are the last GiB of the address space of paging.hpp, never executable, and a
// page that stays unmapped lies behind each window, so that running off its end is a fault.
#pragma once

#include <halvm/xen/numbers.hpp>

#include <cstddef>

namespace halvm::arch {

/// `count` page addresses in a row; nullptr when there are none left, or no memory for page tables.
void* open_window(std::size_t count) noexcept;

/// Gives back what open_window(count) returned. Nothing is mapped there any more.
void close_window(void* first, std::size_t count) noexcept;

/// Maps a frame at a page of a window; 0 or minus an errno of Xen's.
long map_window_page(void* page, xen::gfn frame, bool write) noexcept;

/// The same with a frame of another domain, which Xen allows a privileged one.
long map_foreign_page(void* page, xen::domid owner, xen::gfn frame, bool write) noexcept;

/// Takes out again what one of these two put there.
long unmap_window_page(void* page) noexcept;

}  // namespace halvm::arch
