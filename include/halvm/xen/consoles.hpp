// SPDX-License-Identifier: BSD-3-Clause
// The consoles of this domain besides the first, by the numbers and names that the toolstack's configuration gives
// them.
#pragma once

#include <halvm/device/console_name.hpp>
#include <halvm/fiber/clock.hpp>
#include <halvm/xen/consfront.hpp>
#include <halvm/xen/events.hpp>
#include <halvm/xen/grants.hpp>
#include <halvm/xen/store.hpp>

#include <string_view>
#include <vector>

namespace halvm::xen {

using consfront = basic_consfront<guest>;

/// Blocks; fails as the XenStore does.
inline result<std::vector<console_name>> consoles(const wait_limit& limit = {}) {
    return list_consoles(store(), limit);
}

/// Connects to the console of that name or number. Blocks until its back end is there, or until the limit.
/// Errors: std::errc::no_such_device, naming the consoles that there are; those of basic_consfront::open().
inline result<consfront> open_console(std::string_view name, const consfront_options& options,
                                      const wait_limit& limit) {
    static guest domain;
    const auto there = consoles(limit);
    if (!there)
        return failure(there.error());
    const auto found = find_console(*there, name);
    if (!found)
        return failure(found.error());
    return consfront::open({domain, events(), grants(), store()}, (*there)[*found].number, options, limit);
}
/// The same within the options' patience.
inline result<consfront> open_console(std::string_view name, const consfront_options& options = {}) {
    return open_console(name, options, fiber::within(options.patience));
}

}  // namespace halvm::xen
