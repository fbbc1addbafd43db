// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/xen/events.hpp>

#include "core/events.hpp"

namespace halvm::xen {

// Only a program that asks for event channels pays for the FIFO ABI. The domain does without when Xen does not offer it.
event_channels& events() noexcept {
    static bool asked = false;
    auto& channels = core::events();
    if (!asked) {
        asked = true;
        static_cast<void>(channels.use_fifo());
    }
    return channels;
}

}  // namespace halvm::xen
