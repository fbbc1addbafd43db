// SPDX-License-Identifier: BSD-3-Clause
// How a program ends that was not stopped by a panic.
#pragma once

namespace halvm::core {

/// Ends the domain with SHUTDOWN_poweroff. `status` is published where the toolstack finds it (the XenStore
/// node data/halvm/status), and printed when it is not 0. What was written to the console is drained first.
[[noreturn]] void power_off(int status) noexcept;

}  // namespace halvm::core
