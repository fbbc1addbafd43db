// SPDX-License-Identifier: BSD-3-Clause
// The part of <halvm/machine.hpp> that <halvm/consoles.hpp> opens on: what a Linux process was given as consoles.
#pragma once

#include <halvm/fiber/scheduler.hpp>
#include <halvm/linux/consoles.hpp>

namespace halvm::machine {

using named_console = process::file_console;
// A file is there at once or not at all.
inline result<std::vector<console_name>> consoles(const fiber::wait_limit&) { return process::consoles(); }
inline result<named_console> open_console(std::string_view name, const fiber::wait_limit&) {
    return process::open_console(name);
}

}  // namespace halvm::machine
