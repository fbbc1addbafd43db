// SPDX-License-Identifier: BSD-3-Clause
#pragma once

namespace halvm::core {

/// Makes the scheduler of the domain's VCPU; the caller becomes its first fiber.
void fibers_start() noexcept;

}  // namespace halvm::core
