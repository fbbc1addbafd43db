// SPDX-License-Identifier: BSD-3-Clause
// The event channels of the domain that the program is.
#pragma once

#include <halvm/xen/event_channel.hpp>
#include <halvm/xen/guest.hpp>

namespace halvm::xen {

using event_channels = basic_event_channels<guest>;
using event_port = basic_port<guest>;

/// The scheduler polls it. The library's own ports are in it too: the timer's, the console's.
event_channels& events() noexcept;

}  // namespace halvm::xen
