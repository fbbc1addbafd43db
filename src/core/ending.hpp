// SPDX-License-Identifier: BSD-3-Clause
// The last steps of every end: the status is published, the console drained, the domain shut down.
#pragma once

#include <string_view>

namespace halvm::core {

/// A panic's end: SHUTDOWN_crash, so that the toolstack's on_crash acts.
[[noreturn]] void crash() noexcept;

/// What the domain is shut down with when the program ends without a panic; SHUTDOWN_poweroff else.
void end_with(unsigned reason) noexcept;

/// Shuts the domain down (SHUTDOWN_*), and runs nothing more of the program.
[[noreturn]] void shut_down_now(unsigned reason) noexcept;

/// Tells the toolstack how the program ended: a XenStore node, or in dom0 a line of the hypervisor's console that
/// begins with the word of `halvm.token=` on the command line. Neither can be written by what the program prints.
void publish_status(std::string_view status) noexcept;

}  // namespace halvm::core
