// SPDX-License-Identifier: BSD-3-Clause
// The front door to the consoles of this machine besides the first, which programs of other domains or processes
// usually have at their other end: a domain's are the channels of its xl configuration, a process's what
// HALVM_CONSOLES names (halvm/linux/consoles.hpp). Bytes go through them as they are.
#pragma once

#include <halvm/console.hpp>
#include <halvm/device/console_name.hpp>
#include <halvm/fiber/clock.hpp>
#include <halvm/machine/consoles.hpp>

#include <chrono>
#include <string_view>
#include <utility>
#include <vector>

namespace halvm {

/// A console besides the first: Xen's, or a terminal, a Unix socket or another file of a Linux process.
using named_console = text_console<machine::named_console>;
static_assert(Console<named_console>);

/// How long open_console() waits when it is not told.
inline constexpr std::chrono::seconds console_patience{30};

/// The consoles besides the first that there are now; none is no error. Blocks in a domain, where it asks the XenStore.
/// Errors: in a domain those of the XenStore; in a process std::errc::invalid_argument, with the part of HALVM_CONSOLES
/// that is no console.
inline result<std::vector<console_name>> consoles(const fiber::wait_limit& limit = {}) {
    return machine::consoles(limit);
}

/// Opens the console of that name, or number from 1. Blocks until its other side is there, or until the limit. The
/// console is the caller's until it ends.
/// Errors: std::errc::no_such_device, naming the consoles that there are; std::errc::timed_out in a domain whose back
/// end did not come, with the back end's state and path; those of machine::named_console's open().
inline result<named_console> open_console(std::string_view name,
                                          const fiber::wait_limit& limit = fiber::within(console_patience)) {
    auto device = machine::open_console(name, limit);
    if (!device)
        return failure(device.error());
    return named_console{std::move(*device)};
}

}  // namespace halvm
