// SPDX-License-Identifier: BSD-3-Clause
// The machine that the front doors open on: a Xen domain.
#pragma once

#include <halvm/fiber/clock.hpp>
#include <halvm/xen/system_console.hpp>

namespace halvm::machine {

using console = xen::system_console;
using xen::open_console;

using clock = fiber::clock;
inline void sleep_until(clock::time_point when) noexcept { fiber::sleep(fiber::until(when)); }

}  // namespace halvm::machine
