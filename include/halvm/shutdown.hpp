// SPDX-License-Identifier: BSD-3-Clause
// The front door to being asked to end: `xl shutdown` and `xl reboot` of a domain, SIGTERM and SIGINT of a process.
//
//   while (auto request = server.accept(halvm::shutdown_token())) ...
//   return 0;
#pragma once

#include <stop_token>

namespace halvm {

/// A stop is requested when the program is asked to end. From the first call on it ends when halvm_main() returns, and
/// not before; a domain that was asked to reboot then does. Without a call it is ended by exit(0), as far as it can be
/// asked at all: a domain must use the XenStore (xen/domain_control.hpp). May wait for other fibers the first time.
std::stop_token shutdown_token() noexcept;

}  // namespace halvm
