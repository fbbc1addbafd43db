// SPDX-License-Identifier: BSD-3-Clause
// The disks of this domain, by the names that the toolstack's configuration gives them.
#pragma once

#include <halvm/device/disk_name.hpp>
#include <halvm/fiber/clock.hpp>
#include <halvm/xen/blkfront.hpp>
#include <halvm/xen/events.hpp>
#include <halvm/xen/grants.hpp>
#include <halvm/xen/store.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace halvm::xen {

using blkfront = basic_blkfront<guest>;

/// The names of all disks that there are now, as in {"xvda", "xvdb"}. Blocks; fails as the XenStore does.
inline result<std::vector<std::string>> disks(const wait_limit& limit = {}) {
    auto numbers = list_devices(store(), "vbd", limit);
    if (numbers)
        for (auto& one : *numbers)
            if (const auto number = disk_number(one))
                one = disk_name(*number);
    return numbers;
}

/// Connects to the disk called `name`, as in "xvda", or by its number. Blocks until its back end is there, or until the
/// limit.
/// Errors: std::errc::no_such_device, naming the disks that there are; those of basic_blkfront::open().
inline result<blkfront> open_disk(std::string_view name, const blkfront_options& options, const wait_limit& limit) {
    static guest domain;
    const auto there = disks(limit);
    if (!there)
        return failure(there.error());
    const auto found = find_disk(*there, name);
    if (!found)
        return failure(found.error());
    const auto& called = (*there)[*found];
    const auto number = disk_number(called);
    return blkfront::open({domain, events(), grants(), store()}, number ? std::to_string(*number) : called, options,
                          limit);
}
/// The same within the options' patience.
inline result<blkfront> open_disk(std::string_view name, const blkfront_options& options = {}) {
    return open_disk(name, options, fiber::within(options.patience));
}

}  // namespace halvm::xen
