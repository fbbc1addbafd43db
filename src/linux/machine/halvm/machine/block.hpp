// SPDX-License-Identifier: BSD-3-Clause
// The part of <halvm/machine.hpp> that <halvm/block.hpp> opens on: the files that a Linux process was given as disks.
#pragma once

#include <halvm/fiber/scheduler.hpp>
#include <halvm/linux/disks.hpp>

namespace halvm::machine {

using disk = process::file_block;
// A file is there at once or not at all.
inline result<std::vector<std::string>> disks(const fiber::wait_limit&) { return process::disks(); }
inline result<disk> open_disk(std::string_view name, const fiber::wait_limit&) { return process::open_disk(name); }

}  // namespace halvm::machine
