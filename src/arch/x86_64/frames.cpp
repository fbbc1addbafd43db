// SPDX-License-Identifier: BSD-3-Clause
#include "arch/x86_64/frames.hpp"

#include "arch/x86_64/page_entry.hpp"
#include "arch/x86_64/paging.hpp"
#include "core/hypercall.hpp"
#include "core/pages.hpp"
#include "core/panic.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace halvm::arch {
namespace {

constexpr xen::gfn nothing{~std::uint64_t{0}};
constexpr unsigned long flush = UVMF_INVLPG | UVMF_LOCAL;

}  // namespace

long protect_pages(void* first, std::size_t count, bool readable, bool writes) noexcept {
    std::array<multicall_entry_t, 8> calls;
    auto* at = static_cast<std::byte*>(first);
    while (count != 0) {
        const auto some = std::min(count, calls.size());
        for (std::size_t i = 0; i < some; ++i, at += page_size) {
            const auto machine = xen::raw(machine_frame(frame_under(at))) << 12;
            calls[i] = {};
            calls[i].op = __HYPERVISOR_update_va_mapping;
            calls[i].args[0] = reinterpret_cast<std::uintptr_t>(at);
            calls[i].args[1] = readable ? machine | (writes ? page_data : page_constant) : 0;
            calls[i].args[2] = flush;
        }
        if (const long status = xen::hypercall::call(__HYPERVISOR_multicall, calls.data(), some); status < 0)
            return status;
        for (std::size_t i = 0; i < some; ++i)
            if (const auto status = static_cast<long>(calls[i].result); status < 0)
                return status;
        count -= some;
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
