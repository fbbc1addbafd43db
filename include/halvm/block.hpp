// SPDX-License-Identifier: BSD-3-Clause
// The front door to the disks of the machine that the program was built for: a domain's are those of its xl
// configuration, a process's the files that HALVM_DISKS names (halvm/linux/disks.hpp).
#pragma once

#include <halvm/device/block.hpp>
#include <halvm/fiber/clock.hpp>
#include <halvm/machine/block.hpp>
#include <halvm/result.hpp>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace halvm {

/// A disk of this machine: Xen's virtual disk, or a file or block device of a Linux process.
using disk = machine::disk;
static_assert(Block<disk>);

/// How long open_block() waits when it is not told: disks that are there come in milliseconds.
inline constexpr std::chrono::seconds disk_patience{30};

/// The names of all disks that there are now, as in {"xvda", "xvdb"}; none is no error. Blocks in a domain, where it
/// asks the XenStore.
/// Errors: in a domain those of the XenStore; in a process std::errc::invalid_argument, with the part of HALVM_DISKS
/// that is no disk.
inline result<std::vector<std::string>> disks(const fiber::wait_limit& limit = {}) { return machine::disks(limit); }

/// Opens the disk called `name`: as disks() calls it, or by its number, which is 51712 for "xvda". Blocks until the
/// disk is there, or until the limit, as in `open_block("xvda", fiber::within(2s))`. The disk is the caller's until it
/// ends.
/// Errors: std::errc::no_such_device, naming the disks that there are; std::errc::timed_out in a domain whose back end
/// did not come, with the back end's state and path; those of machine::disk's open().
inline result<disk> open_block(std::string_view name, const fiber::wait_limit& limit = fiber::within(disk_patience)) {
    return machine::open_disk(name, limit);
}

}  // namespace halvm
