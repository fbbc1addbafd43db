// SPDX-License-Identifier: BSD-3-Clause
// This domain's memory, for programs: how much there is, which frame lies behind which page, and memory.hpp for it.
#pragma once

#include <halvm/xen/guest.hpp>
#include <halvm/xen/memory.hpp>

namespace halvm::xen {

using page_owner = basic_pages<guest>;
using foreign_mapping = basic_foreign_mapping<guest>;

/// All in pages.
struct memory_statistics {
    std::uint64_t total;        ///< that the domain was started with
    std::uint64_t mapped;       ///< that have been needed so far
    std::uint64_t free;         ///< mapped ones that nobody owns; the unmapped ones are free too
    std::uint64_t reservation;  ///< that Xen counts as this domain's now
    std::uint64_t maximum;      ///< that Xen would let it have
};
memory_statistics count_memory() noexcept;

/// The machine frame behind a page of this domain.
/// Errors: bad_address when there is no such page, or nothing behind it.
result<gfn> frame_behind(pfn page) noexcept;

/// The page of this domain that lies on a machine frame. Errors: bad_address for a frame that is not this domain's.
result<pfn> page_on(gfn frame) noexcept;

}  // namespace halvm::xen
