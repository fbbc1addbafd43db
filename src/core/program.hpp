// SPDX-License-Identifier: BSD-3-Clause
// What surrounds halvm_main(): the domain's command line and the ways to end.
#pragma once

#include <string_view>

namespace halvm::core {

/// The domain's command line (`extra=` in the xl configuration), as given; lives as long as the program.
std::string_view command_line() noexcept;

/// Ends the domain with SHUTDOWN_poweroff. `status` is published where the toolstack finds it (the XenStore
/// node data/halvm/status), and printed when it is not 0. What was written to the console is drained first.
[[noreturn]] void power_off(int status) noexcept;

}  // namespace halvm::core
