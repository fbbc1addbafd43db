// SPDX-License-Identifier: BSD-3-Clause
// Changes to single pages of the direct map: what the domain may do with them, and which frame lies behind them.
#pragma once

#include <halvm/xen/numbers.hpp>

#include <cstddef>

namespace halvm::arch {

/// Makes pages readable, or writable too, or neither; never executable. 0 or minus an errno of Xen's.
long protect_pages(void* first, std::size_t count, bool readable, bool writes) noexcept;

/// Takes the frame from under a page. The page must go back to no allocator before it has one again.
xen::gfn detach_frame(void* page) noexcept;

/// Puts a frame of this domain's under a page that has none. 0 or minus an errno of Xen's.
long attach_frame(void* page, xen::gfn frame) noexcept;

}  // namespace halvm::arch
