// SPDX-License-Identifier: BSD-3-Clause
// The front door to the NICs of the machine that the program was built for: a domain's are those of its xl
// configuration, a process's the interfaces that HALVM_NICS names (halvm/linux/nics.hpp).
#pragma once

#include <halvm/device/nic.hpp>
#include <halvm/fiber/clock.hpp>
#include <halvm/machine/nic.hpp>
#include <halvm/result.hpp>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace halvm {

/// A network interface of this machine: Xen's, or a TAP device or interface of a Linux process.
using nic = machine::nic;
static_assert(NIC<nic>);

/// How long open_nic() waits when it is not told: NICs that are there come in milliseconds.
inline constexpr std::chrono::seconds nic_patience{30};

/// The names of all NICs that there are now, as in {"0", "1"}; none is no error. Blocks in a domain, where it asks the
/// XenStore.
/// Errors: in a domain those of the XenStore; in a process std::errc::invalid_argument, with the part of HALVM_NICS
/// that is no NIC.
inline result<std::vector<std::string>> nics(const fiber::wait_limit& limit = {}) { return machine::nics(limit); }

/// Opens the NIC called `name`, as nics() calls it. Blocks until it is there, or until the limit, as in
/// `open_nic("1", fiber::within(2s))`. It is the caller's until it ends.
/// Errors: std::errc::no_such_device; std::errc::timed_out in a domain whose back end did not come; those of the
/// machine's own NIC.
inline result<nic> open_nic(std::string_view name = "0", const fiber::wait_limit& limit = fiber::within(nic_patience)) {
    return machine::open_nic(name, limit);
}

}  // namespace halvm
