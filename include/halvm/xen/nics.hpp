// SPDX-License-Identifier: BSD-3-Clause
// The network interfaces of this domain, as the toolstack's configuration counts them.
#pragma once

#include <halvm/xen/events.hpp>
#include <halvm/xen/grants.hpp>
#include <halvm/xen/netfront.hpp>
#include <halvm/xen/nic_names.hpp>
#include <halvm/xen/store.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace halvm::xen {

using netfront = basic_netfront<guest>;

/// All that there are now. Blocks; fails as the XenStore does.
inline result<std::vector<nic_entry>> nics() { return list_nics(store()); }

/// Connects to the interface that `name` means, as find_nic() says. Blocks until its back end is there, or until the
/// limit. Errors: those of find_nic() and basic_netfront::open().
inline result<netfront> open_nic(std::string_view name, const netfront_options& options,
                                 const fiber::wait_limit& limit) {
    static guest domain;
    const auto number = find_nic(store(), name, limit);
    if (!number)
        return failure(number.error());
    return netfront::open({domain, events(), grants(), store()}, *number, options, limit);
}
inline result<netfront> open_nic(std::string_view name, const netfront_options& options = {}) {
    return open_nic(name, options, fiber::within(options.patience));
}

}  // namespace halvm::xen
