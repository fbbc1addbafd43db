// SPDX-License-Identifier: BSD-3-Clause
// The disks of the machine made of archetypes: those that a test names.
#pragma once

#include "../../../archetypes.hpp"

#include <halvm/device/disk_name.hpp>
#include <halvm/fiber/scheduler.hpp>

#include <string>
#include <vector>

namespace halvm::machine {

using disk = archetype::block;

inline std::vector<std::string> disk_names;
inline fiber::instant disk_deadline = 0;  ///< of the last open_disk()

inline result<std::vector<std::string>> disks(const fiber::wait_limit&) { return disk_names; }
inline result<disk> open_disk(std::string_view name, const fiber::wait_limit& limit) {
    disk_deadline = limit.deadline;
    if (const auto found = find_disk(disk_names, name); !found)
        return failure(found.error());
    return disk{};
}

}  // namespace halvm::machine
