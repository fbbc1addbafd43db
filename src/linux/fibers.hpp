// SPDX-License-Identifier: BSD-3-Clause
#pragma once

namespace halvm::process {

/// Makes the scheduler of the calling thread, which becomes its first fiber.
void fibers_start();

}  // namespace halvm::process
