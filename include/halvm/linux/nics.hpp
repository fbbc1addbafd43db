// SPDX-License-Identifier: BSD-3-Clause
// The NICs of a process: those that HALVM_NICS names in its environment, as an xl configuration does for a domain.
//
//   HALVM_NICS=tap:tap0/02:00:00:00:00:07,interface:eth1 ./program
//
// They are divided by ',', and each is one of these:
//   tap:NAME        a TAP device, whose other end is the kernel's interface NAME; with "/MAC" behind it when the
//                   program's end shall not have a random address
//   interface:NAME  the kernel's interface itself
// As in a domain, they are called "0", "1" and so on, in their order. A word HALVM_NICS=... of the command line is as
// good.
#pragma once

#include <halvm/linux/kernel_nic.hpp>
#include <halvm/result.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace halvm::process {

/// A NIC as HALVM_NICS describes it.
struct nic_entry {
    bool is_tap = false;
    std::string interface;
    mac_address mac{};  ///< a TAP's; unspecified for a random one
};

/// What a text like the value of HALVM_NICS says; empty parts are passed over.
/// Errors: std::errc::invalid_argument, with the part that is no NIC.
result<std::vector<nic_entry>> parse_nics(std::string_view text);

/// "0", "1" and so on, one for each. Never blocks. Errors: those of parse_nics().
result<std::vector<std::string>> nics();

/// Opens the NIC of that number, or of that interface's name. Never blocks.
/// Errors: std::errc::no_such_device when there is none; those of parse_nics(), kernel_nic::open_tap() and
/// open_interface().
result<kernel_nic> open_nic(std::string_view name);

}  // namespace halvm::process
