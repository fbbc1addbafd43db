// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/xen/modules.hpp>

#include "arch/x86_64/page_entry.hpp"
#include "arch/x86_64/paging.hpp"
#include "core/domain.hpp"
#include "core/panic.hpp"

#include <halvm/xen/guest.hpp>
#include <halvm/xen/multicall.hpp>

#include <algorithm>

namespace halvm::xen {
namespace {

constexpr std::size_t batch_size = 64;

/// Takes the right to write out of the mappings of pages of the direct map.
void make_read_only(const std::byte* first, std::size_t count) noexcept {
    guest domain;
    for (std::size_t done = 0; done < count;) {
        const std::size_t end = std::min(count, done + batch_size);
        multicall<batch_size> batch;
        for (; done < end; ++done) {
            const std::byte* const page = first + done * page_size;
            const auto entry = raw(arch::machine_frame(arch::direct_frame(page))) << 12 | arch::direct_read_only;
            batch.add(__HYPERVISOR_update_va_mapping, page, entry, UVMF_INVLPG | UVMF_LOCAL);
        }
        bool refused = !batch.issue(domain);
        for (std::size_t i = 0; i < batch.size() && !refused; ++i)
            refused = !batch.answer(i, "protect a module");
        if (refused)
            core::panic("Xen refuses to protect the pages of a module");
    }
}

}  // namespace

// A module is protected when it is first asked for: until then nobody knows where it is, and a program without one pays
// nothing.
std::span<const const_bytes> modules() noexcept {
    static const const_bytes found = [] {
        const const_bytes module = core::domain.module;
        make_read_only(module.data(), (module.size() + page_size - 1) / page_size);
        return module;
    }();
    return {&found, found.empty() ? 0u : 1u};
}

}  // namespace halvm::xen
