// SPDX-License-Identifier: BSD-3-Clause
// The part of <halvm/machine.hpp> that <halvm/nic.hpp> opens on: the virtual network interfaces of a Xen domain.
#pragma once

#include <halvm/fiber/scheduler.hpp>
#include <halvm/xen/nics.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace halvm::machine {

using nic = xen::netfront;
inline result<std::vector<std::string>> nics(const fiber::wait_limit& limit) {
    return xen::list_devices(xen::store(), "vif", limit);
}
inline result<nic> open_nic(std::string_view name, const fiber::wait_limit& limit) {
    return xen::open_nic(name, {}, limit);
}

}  // namespace halvm::machine
