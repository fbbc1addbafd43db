// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/modules.hpp>
#include <halvm/xen/modules.hpp>

#include "arch/x86_64/frames.hpp"
#include "core/domain.hpp"
#include "core/panic.hpp"

namespace halvm::xen {

// A module is protected when it is first asked for: until then nobody knows where it is, and a program without one pays
// nothing.
std::span<const const_bytes> modules() noexcept {
    static const const_bytes found = [] {
        const const_bytes module = core::domain.module;
        const std::size_t count = (module.size() + page_size - 1) / page_size;
        if (arch::protect_pages(const_cast<std::byte*>(module.data()), count, true, false) < 0)
            core::panic("Xen refuses to protect the pages of a module");
        return module;
    }();
    return {&found, found.empty() ? 0u : 1u};
}

}  // namespace halvm::xen

namespace halvm {

result<std::span<const const_bytes>> modules() { return xen::modules(); }

}  // namespace halvm
