// SPDX-License-Identifier: BSD-3-Clause
// What a domain's network interfaces are called in its XenStore, and by people.
#pragma once

#include <halvm/device/mac_address.hpp>
#include <halvm/xen/frontend.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace halvm::xen {

/// One of this domain's interfaces, whether it is in use or not.
struct nic_entry {
    std::string number;  ///< as in "0", for the first one of the configuration's `vif`
    std::string mac;     ///< as the toolstack wrote it
};

/// All that there are in a domain's XenStore. Blocks; fails as that does.
inline result<std::vector<nic_entry>> list_nics(xenstore_connection& store, const wait_limit& limit = {}) {
    const auto numbers = list_devices(store, "vif", limit);
    if (!numbers)
        return failure(numbers.error());
    std::vector<nic_entry> all;
    for (const std::string& one : *numbers)
        all.push_back({one, store.read("device/vif/" + one + "/mac", limit).value_or("")});
    return all;
}

/// The number of the interface that `name` means: its number, "eth0" or "vif0" for 0, or its address.
/// Errors: std::errc::no_such_device, naming those that there are; address_errc for a text with a colon that is no
/// address; those of list_nics().
inline result<std::string> find_nic(xenstore_connection& store, std::string_view name, const wait_limit& limit = {}) {
    const auto there = list_nics(store, limit);
    if (!there)
        return failure(there.error());
    std::string_view number = name;
    for (const std::string_view prefix : {"eth", "vif"})
        if (name.starts_with(prefix))
            number = name.substr(prefix.size());
    mac_address wanted;
    if (name.find(':') != std::string_view::npos) {
        const auto mac = mac_address::parse(name);
        if (!mac)
            return failure(error{mac.error().code(), "open a NIC by its address:", name});
        wanted = *mac;
    }
    std::string names;
    for (const auto& one : *there) {
        const auto mac = mac_address::parse(one.mac);
        if (one.number == number || (!wanted.is_unspecified() && mac && *mac == wanted))
            return one.number;
        names += (names.empty() ? "" : " ") + one.number + "=" + one.mac;
    }
    return failure(error{std::make_error_code(std::errc::no_such_device),
                         names.empty() ? "open a NIC: this domain has none" : "open a NIC: there are only", names});
}

}  // namespace halvm::xen
