// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/xen/events.hpp>

#include "core/console.hpp"
#include "core/domain.hpp"
#include "core/events.hpp"

namespace halvm::xen {

// Only a program that asks for event channels pays for the FIFO ABI; it does without when Xen does not offer it.
event_channels& events() noexcept {
    static bool asked = false;
    auto& channels = core::events();
    if (!asked) {
        asked = true;
        // The core's own ports come first, because it does not look whether the event array reaches as far as theirs.
        core::timer_port();
        if (core::domain.is_dom0 || core::domain.has_console)
            core::console_bind();
        static_cast<void>(channels.use_fifo());
    }
    return channels;
}

}  // namespace halvm::xen
