// SPDX-License-Identifier: BSD-3-Clause
// The part of <halvm/machine.hpp> that <halvm/consoles.hpp> opens on: the channels of a Xen domain.
#pragma once

#include <halvm/fiber/scheduler.hpp>
#include <halvm/xen/consoles.hpp>

namespace halvm::machine {

using named_console = xen::consfront;
using xen::consoles;
inline result<named_console> open_console(std::string_view name, const fiber::wait_limit& limit) {
    return xen::open_console(name, {}, limit);
}

}  // namespace halvm::machine
