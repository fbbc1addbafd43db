// SPDX-License-Identifier: BSD-3-Clause
// Waiting for file descriptors as a fiber: others run meanwhile, and when none can, the process sleeps in epoll.
#pragma once

#include <halvm/fiber/scheduler.hpp>
#include <halvm/result.hpp>

#include <cstdint>

namespace halvm::process {

enum class direction : std::uint8_t { read, write };

/// Blocks the calling fiber until `descriptor` can be read from or written to without blocking, has failed or was hung
/// up, or until the limit. A file that is always ready, as those on disks are, does not block. The descriptor stays
/// open meanwhile.
/// Errors: what epoll_ctl(2) says of the descriptor.
result<fiber::wake> wait_ready(int descriptor, direction which, const fiber::wait_limit& limit = {}) noexcept;

}  // namespace halvm::process
