// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/xen/guest.hpp>

#include "arch/x86_64/frames.hpp"
#include "arch/x86_64/paging.hpp"
#include "arch/x86_64/windows.hpp"
#include "core/domain.hpp"
#include "core/pages.hpp"
#include "core/time.hpp"

#include <cstring>

namespace halvm::xen {

shared_info_t& guest::shared_info() noexcept { return halvm_shared_info; }

std::uint64_t guest::now() noexcept { return core::monotonic_ns(); }

void* guest::allocate_pages(std::size_t count) noexcept {
    if (count > SIZE_MAX / page_size)
        return nullptr;
    void* const pages = core::pages_allocate(count * page_size);
    if (pages != nullptr)
        std::memset(pages, 0, count * page_size);
    return pages;
}

void guest::free_pages(void* page, std::size_t count) noexcept { core::pages_free(page, count * page_size); }

gfn guest::frame_of(const void* page) noexcept { return arch::machine_frame(arch::frame_under(page)); }

void* guest::open_window(std::size_t count) noexcept { return arch::open_window(count); }

void guest::close_window(void* page, std::size_t count) noexcept { arch::close_window(page, count); }

std::uint64_t guest::window_address(const void* page) noexcept { return reinterpret_cast<std::uint64_t>(page); }

long guest::map_frame(void* page, gfn frame) noexcept { return arch::map_window_page(page, frame, true); }

void guest::unmap_frame(void* page) noexcept { arch::unmap_window_page(page); }

long guest::protect_pages(void* page, std::size_t count, protection allowed) noexcept {
    return arch::protect_pages(page, count, allowed != protection::none, allowed == protection::read_write);
}

gfn guest::detach_frame(void* page) noexcept { return arch::detach_frame(page); }

long guest::attach_frame(void* page, gfn frame) noexcept { return arch::attach_frame(page, frame); }

long guest::map_foreign_frame(void* page, domid owner, gfn frame, bool writable) noexcept {
    return arch::map_foreign_page(page, owner, frame, writable);
}

xenstore_place guest::xenstore() noexcept {
    if (!core::domain.has_xenstore)
        return {};
    return {reinterpret_cast<xenstore_domain_interface*>(halvm_xenstore_ring), core::domain.xenstore_port};
}

}  // namespace halvm::xen
