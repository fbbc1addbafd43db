// SPDX-License-Identifier: BSD-3-Clause
// The disks of a process: those that HALVM_DISKS names in its environment, as an xl configuration does for a domain.
//
//   HALVM_DISKS=xvda=disk.img:xvdb=/dev/sdb,ro ./program
//
// The disks are divided by ':', and each is NAME=FILE with options behind it, divided by ',':
//   ro         it is only read
//   sector=N   its sectors have N bytes: 512, 1024, 2048 or 4096
//   cached     data goes through the kernel's page cache
// `\` makes the ':', ',' or '\' behind it part of a file's name. A word HALVM_DISKS=... of the command line is as good.
#pragma once

#include <halvm/linux/file_block.hpp>
#include <halvm/result.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace halvm::process {

/// A disk as HALVM_DISKS describes it.
struct disk_entry {
    std::string name;
    std::string path;
    file_block_options options{};
};

/// What a text like the value of HALVM_DISKS says; empty parts are passed over.
/// Errors: std::errc::invalid_argument, with the part that is no disk, or that names one for the second time.
result<std::vector<disk_entry>> parse_disks(std::string_view text);

/// The names of the process's disks, in their order. Never blocks. Errors: those of parse_disks().
result<std::vector<std::string>> disks();

/// Opens the disk of that name, or of its number.
/// Errors: std::errc::no_such_device, naming the disks that there are; those of parse_disks() and file_block::open().
result<file_block> open_disk(std::string_view name);

}  // namespace halvm::process
