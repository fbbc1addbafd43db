// SPDX-License-Identifier: BSD-3-Clause
#include "core/hypercall.hpp"
#include "core/time.hpp"

namespace halvm::core {

std::uint64_t running_ns() noexcept {
    vcpu_runstate_info_t info{};
    xen::hypercall::vcpu_op(VCPUOP_get_runstate_info, 0, &info);
    return info.time[RUNSTATE_running];
}

}  // namespace halvm::core
