// SPDX-License-Identifier: BSD-3-Clause
// The machine that the front doors open on: a Xen domain.
#pragma once

#include <halvm/xen/clock.hpp>
#include <halvm/xen/system_console.hpp>

namespace halvm::machine {

using console = xen::system_console;
using xen::open_console;

using clock = xen::clock;
using xen::sleep_until;

}  // namespace halvm::machine
