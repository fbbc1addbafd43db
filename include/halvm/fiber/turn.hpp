// SPDX-License-Identifier: BSD-3-Clause
// Calls of several fibers on one device, one after another in the order in which they came.
#pragma once

#include <halvm/fiber/errors.hpp>
#include <halvm/fiber/mutex.hpp>
#include <halvm/result.hpp>

#include <mutex>

namespace halvm::fiber {

/// Blocks until the lock is the caller's, for as long as the answer lives.
/// Errors: timed_out and operation_canceled by the limit, for what was `attempted`.
inline result<std::unique_lock<mutex>> take_turn(mutex& of, const wait_limit& limit, const char* attempted) noexcept {
    if (of.lock(limit))
        return std::unique_lock{of, std::adopt_lock};
    return detail::gave_up(limit.stop.stop_requested() ? wake::stopped : wake::timed_out, attempted);
}

}  // namespace halvm::fiber
