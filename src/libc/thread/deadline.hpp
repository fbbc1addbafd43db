// SPDX-License-Identifier: BSD-3-Clause
// Waits with a deadline: a point of one of the clocks, as a timespec.
#pragma once

#include <ctime>

namespace halvm::libc {

/// Sleeps until `clock` shows `deadline`. Returns ETIMEDOUT, or EINVAL for a time or clock that cannot be.
int sleep_until(clockid_t clock, const timespec& deadline) noexcept;

}  // namespace halvm::libc
