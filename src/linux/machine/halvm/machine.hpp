// SPDX-License-Identifier: BSD-3-Clause
// The machine that the front doors open on: a Linux process.
#pragma once

#include <halvm/fiber/clock.hpp>
#include <halvm/linux/clock.hpp>
#include <halvm/linux/terminal_console.hpp>

namespace halvm::machine {

using console = process::terminal_console;
using process::open_console;

using clock = process::clock;
inline void sleep_until(clock::time_point when) noexcept { fiber::sleep(fiber::until(when)); }

}  // namespace halvm::machine
