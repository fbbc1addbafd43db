// SPDX-License-Identifier: BSD-3-Clause
// The part of <halvm/machine.hpp> that <halvm/block.hpp> opens on: the virtual disks of a Xen domain.
#pragma once

#include <halvm/fiber/scheduler.hpp>
#include <halvm/xen/disks.hpp>

namespace halvm::machine {

using disk = xen::blkfront;
using xen::disks;
inline result<disk> open_disk(std::string_view name, const fiber::wait_limit& limit) {
    return xen::open_disk(name, {}, limit);
}

}  // namespace halvm::machine
