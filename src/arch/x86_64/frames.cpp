// SPDX-License-Identifier: BSD-3-Clause
#include "arch/x86_64/frames.hpp"

#include "arch/x86_64/page_entry.hpp"
#include "arch/x86_64/paging.hpp"
#include "core/hypercall.hpp"
#include "core/pages.hpp"
#include "core/panic.hpp"

#include <halvm/xen/guest.hpp>
#include <halvm/xen/multicall.hpp>

#include <algorithm>
#include <cstdint>

namespace halvm::arch {
namespace {

constexpr xen::gfn nothing{~std::uint64_t{0}};
constexpr unsigned long flush = UVMF_INVLPG | UVMF_LOCAL;

}  // namespace

long protect_pages(void* first, std::size_t count, bool readable, bool writes) noexcept {
    constexpr std::size_t most = 8;
    xen::guest domain;
    xen::multicall<most> batch;
    auto* at = static_cast<std::byte*>(first);
    for (; count != 0; count -= batch.size()) {
        batch.clear();
        for (; batch.size() != std::min(count, most); at += page_size) {
            const auto machine = xen::raw(machine_frame(frame_under(at))) << 12;
            batch.add(__HYPERVISOR_update_va_mapping, at, readable ? machine | (writes ? page_data : page_constant) : 0,
                      flush);
        }
        if (const long status = batch.try_issue(domain); status < 0)
            return status;
        for (std::size_t i = 0; i < batch.size(); ++i)
            if (const long status = batch.status(i); status < 0)
                return status;
    }
    return 0;
}

xen::gfn detach_frame(void* page) noexcept {
    const pfn which = frame_under(page);
    const xen::gfn frame = machine_frame(which);
    // Taking a mapping away is always allowed.
    if (const long status = xen::hypercall::call(__HYPERVISOR_update_va_mapping, page, 0, flush); status != 0)
        core::panic("unmap page %p: Xen answered %ld", page, status);
    set_machine_frame(which, nothing);
    return frame;
}

long attach_frame(void* page, xen::gfn frame) noexcept {
    const pfn which = frame_under(page);
    const mmu_update_t names_it{xen::raw(frame) << 12 | MMU_MACHPHYS_UPDATE, xen::raw(which)};
    if (const long status = xen::hypercall::mmu_update(std::span{&names_it, 1}); status != 0)
        return status;
    const long status =
        xen::hypercall::call(__HYPERVISOR_update_va_mapping, page, xen::raw(frame) << 12 | page_data, UVMF_NONE);
    if (status == 0)
        set_machine_frame(which, frame);
    return status;
}

}  // namespace halvm::arch
