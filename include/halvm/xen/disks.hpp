// SPDX-License-Identifier: BSD-3-Clause
// The disks of this domain, by the names that the toolstack's configuration gives them.
#pragma once

#include <halvm/xen/blkfront.hpp>
#include <halvm/xen/disk_name.hpp>
#include <halvm/xen/events.hpp>
#include <halvm/xen/grants.hpp>
#include <halvm/xen/store.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace halvm::xen {

using blkfront = basic_blkfront<guest>;

/// The names of all disks that there are now, as in {"xvda", "xvdb"}. Blocks; fails as the XenStore does.
inline result<std::vector<std::string>> disks() {
    auto numbers = list_devices(store(), "vbd");
    if (numbers)
        for (auto& one : *numbers)
            if (const auto number = disk_number(one))
                one = disk_name(*number);
    return numbers;
}

/// Connects to the disk called `name`, as in "xvda", or by its number. Blocks until its back end is there.
/// Errors: std::errc::no_such_device, naming the disks that there are; those of basic_blkfront::open().
inline result<blkfront> open_disk(std::string_view name, const blkfront_options& options = {}) {
    static guest domain;
    const auto there = disks();
    if (!there)
        return failure(there.error());
    const auto number = disk_number(name);
    std::string names;
    for (const auto& one : *there) {
        if (number && disk_number(one) == number)
            return blkfront::open({domain, events(), grants(), store()}, std::to_string(*number), options);
        names += (names.empty() ? "" : " ") + one;
    }
    return failure(error{std::make_error_code(std::errc::no_such_device),
                         names.empty() ? "open a disk: this domain has none" : "open a disk: there are only", names});
}

}  // namespace halvm::xen
