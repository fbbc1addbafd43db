// SPDX-License-Identifier: BSD-3-Clause
// What a wait that came to nothing returns.
#pragma once

#include <halvm/fiber/task.hpp>
#include <halvm/result.hpp>

#include <system_error>

namespace halvm::fiber::detail {

inline failure gave_up(wake how, const char* attempted) noexcept {
    return failure(
        error{std::make_error_code(how == wake::timed_out ? std::errc::timed_out : std::errc::operation_canceled),
              attempted});
}
inline failure was_closed(const char* attempted) noexcept {
    return failure(error{std::make_error_code(std::errc::broken_pipe), attempted});
}

}  // namespace halvm::fiber::detail
