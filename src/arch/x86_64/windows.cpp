// SPDX-License-Identifier: BSD-3-Clause
#include "arch/x86_64/windows.hpp"

#include "arch/x86_64/page_entry.hpp"
#include "arch/x86_64/paging.hpp"
#include "core/heap.hpp"
#include "core/hypercall.hpp"
#include "core/pages.hpp"

#include <array>
#include <bit>
#include <cstdint>

namespace halvm::arch {
namespace {

constexpr std::uint32_t entries = 512;
constexpr std::uint32_t page_count = entries * entries;
constexpr std::uint32_t none = page_count;

// Windows are powers of two pages long, the guard among them. One that was closed is opened again only for as many:
// addresses are plenty, and nothing need be merged.
constinit struct {
    std::array<std::uint32_t, 19> closed = [] {
        std::array<std::uint32_t, 19> lists{};
        lists.fill(none);
        return lists;
    }();
    std::uint32_t untouched = 0;                   // the first page that has never been in a window
    std::array<std::uint32_t*, entries> behind{};  // for each table: the window behind a closed one, by its first page
} state;

std::uintptr_t address_of(std::uint32_t page) noexcept { return windows + std::uintptr_t{page} * page_size; }
std::uint32_t index_of(const void* page) noexcept {
    return static_cast<std::uint32_t>((reinterpret_cast<std::uintptr_t>(page) - windows) / page_size);
}
std::uint32_t& behind(std::uint32_t page) noexcept { return state.behind[page / entries][page % entries]; }

bool make_table(std::uint32_t which) noexcept {
    const pfn first{window_frame + which * chunk_pages};
    const bool needs = needs_directory(first);
    auto* const links = static_cast<std::uint32_t*>(core::heap_allocate(entries * sizeof(std::uint32_t)));
    void* const table = core::pages_allocate(page_size);
    void* const directory = needs ? core::pages_allocate(page_size) : nullptr;
    if (links == nullptr || table == nullptr || (needs && directory == nullptr)) {
        core::heap_free(links);
        core::pages_free(table, page_size);
        core::pages_free(directory, page_size);
        return false;
    }
    state.behind[which] = links;
    map_chunk(first, table, directory);
    return true;
}

std::size_t order_for(std::size_t count) noexcept {
    return static_cast<std::size_t>(std::bit_width(count));  // of at least count + 1 pages
}

long update(void* page, std::uint64_t value, unsigned long flags, xen::domid owner) noexcept {
    return owner == xen::self
               ? xen::hypercall::call(__HYPERVISOR_update_va_mapping, page, value, flags)
               : xen::hypercall::call(__HYPERVISOR_update_va_mapping_otherdomain, page, value, flags, xen::raw(owner));
}

std::uint64_t entry_for(xen::gfn frame, bool write) noexcept {
    return xen::raw(frame) << 12 | (write ? page_data : page_constant);
}

}  // namespace

void* open_window(std::size_t count) noexcept {
    if (count == 0 || count >= page_count)
        return nullptr;
    const auto order = order_for(count);
    if (std::uint32_t& first = state.closed[order]; first != none) {
        const auto page = first;
        first = behind(page);
        return reinterpret_cast<void*>(address_of(page));
    }
    const auto page = state.untouched;
    if ((std::size_t{1} << order) > page_count - page)
        return nullptr;
    for (std::size_t table = page / entries; table <= (page + count - 1) / entries; ++table)
        if (state.behind[table] == nullptr && !make_table(static_cast<std::uint32_t>(table)))
            return nullptr;
    state.untouched += std::uint32_t{1} << order;
    return reinterpret_cast<void*>(address_of(page));
}

void close_window(void* first, std::size_t count) noexcept {
    const auto page = index_of(first);
    std::uint32_t& list = state.closed[order_for(count)];
    behind(page) = list;
    list = page;
}

long map_window_page(void* page, xen::gfn frame, bool write) noexcept {
    return update(page, entry_for(frame, write), UVMF_NONE, xen::self);
}

long map_foreign_page(void* page, xen::domid owner, xen::gfn frame, bool write) noexcept {
    return update(page, entry_for(frame, write), UVMF_NONE, owner);
}

long unmap_window_page(void* page) noexcept { return update(page, 0, UVMF_INVLPG, xen::self); }

}  // namespace halvm::arch
