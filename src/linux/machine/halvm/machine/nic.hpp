// SPDX-License-Identifier: BSD-3-Clause
// The part of <halvm/machine.hpp> that <halvm/nic.hpp> opens on: the interfaces that a Linux process was given as NICs.
#pragma once

#include <halvm/fiber/scheduler.hpp>
#include <halvm/linux/nics.hpp>

namespace halvm::machine {

using nic = process::kernel_nic;
// An interface is there at once or not at all.
inline result<std::vector<std::string>> nics(const fiber::wait_limit&) { return process::nics(); }
inline result<nic> open_nic(std::string_view name, const fiber::wait_limit&) { return process::open_nic(name); }

}  // namespace halvm::machine
