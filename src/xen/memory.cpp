// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/xen/domain_memory.hpp>

#include "arch/x86_64/paging.hpp"
#include "core/pages.hpp"

#include <algorithm>

namespace halvm::xen {
namespace {

constexpr std::uint64_t nothing = ~std::uint64_t{0};

std::uint64_t ask(unsigned operation, void* argument) noexcept {
    guest domain;
    return static_cast<std::uint64_t>(std::max(0L, call(domain, __HYPERVISOR_memory_op, operation, argument)));
}

error bad_frame(const char* attempted) noexcept { return hypercall_error(-XEN_EFAULT, attempted); }

}  // namespace

memory_statistics count_memory() noexcept {
    const auto counted = core::pages_count();
    domid_t own = DOMID_SELF;
    return {counted.total, counted.mapped, counted.free, ask(XENMEM_current_reservation, &own),
            ask(XENMEM_maximum_reservation, &own)};
}

result<gfn> frame_behind(pfn page) noexcept {
    if (raw(page) >= core::pages_count().total || raw(arch::machine_frame(page)) == nothing)
        return failure(bad_frame("find the frame behind a page"));
    return arch::machine_frame(page);
}

result<pfn> page_on(gfn frame) noexcept {
    static const std::uint64_t last = ask(XENMEM_maximum_ram_page, nullptr);
    if (raw(frame) <= last) {
        // Shared: the table is Xen's, and says of each frame what its owner calls it, so the answer is checked.
        const pfn page{reinterpret_cast<const volatile std::uint64_t*>(MACH2PHYS_VIRT_START)[raw(frame)]};
        if (const auto back = frame_behind(page); back && *back == frame)
            return page;
    }
    return failure(bad_frame("find the page on a frame"));
}

}  // namespace halvm::xen
