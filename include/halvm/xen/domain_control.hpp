// SPDX-License-Identifier: BSD-3-Clause
// What the toolstack asks of a running domain, by nodes below `control/` of the XenStore: `xl shutdown`, `xl reboot`,
// `xl sysrq`. Each request is acknowledged, by emptying its node, before it is carried out.
// [docs: misc/xenstore-paths.pandoc, ~/control/shutdown, ~/control/sysrq]
//
// A program answers them as soon as it uses any of xen::store(), on_shutdown(), on_sysrq() or halvm::shutdown_token().
// One that uses none, such as hello, has no XenStore client in its image and answers nothing: `xl destroy` ends it.
#pragma once

#include <halvm/xen/xenstore_connection.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string_view>

namespace halvm::xen {

enum class shutdown_kind : std::uint8_t { poweroff, reboot, halt, crash };

/// As the node has it: "poweroff". Nothing for what is not known, "suspend" among it.
std::optional<shutdown_kind> parse_shutdown(std::string_view text) noexcept;

/// Takes the requests from the store and hands them on; what is done about them is its user's business.
class control_requests {
public:
    std::function<void(shutdown_kind)> shutdown;
    std::function<void(char)> sysrq;  ///< a magic key of Linux's, as 's' or 'b'

    /// Says in `control/feature-...` what is understood, then waits for requests. Blocks until it is asked to stop, or
    /// the connection to the store is lost. What it does not understand it leaves in its node.
    /// Errors: those of the store; operation_canceled by the token.
    result<void> serve(xenstore_connection& store, std::stop_token stop = {});

private:
    result<void> take_shutdown(xenstore_connection& store, const wait_limit& limit);
    result<void> take_sysrq(xenstore_connection& store, const wait_limit& limit);
};

/// From now on `handler` is called instead of what else would be done: for poweroff, halt and reboot, a stop by
/// halvm::shutdown_token() when the program has asked for that, else exit(0); for crash, a panic. It runs in a fiber of
/// the library's own and may wait; the next request is looked at when it returns. nullptr goes back to the default.
void on_shutdown(std::function<void(shutdown_kind)> handler);

/// The same for sysrq. The default: 'b' ends the domain for a reboot at once, 'o' for good, 'c' panics, 't' lists all
/// fibers; all other keys do nothing.
void on_sysrq(std::function<void(char)> handler);

/// Ends the program as exit(status) does, and the domain with the reason that is asked for: poweroff and halt with
/// SHUTDOWN_poweroff, reboot with SHUTDOWN_reboot. A crash is a panic. [xen/sched.h]
[[noreturn]] void end_domain(shutdown_kind how, int status = 0);

}  // namespace halvm::xen
