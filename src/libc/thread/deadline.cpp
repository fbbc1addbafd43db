// SPDX-License-Identifier: BSD-3-Clause
#include "libc/thread/deadline.hpp"

#include <cerrno>

namespace halvm::libc {

int sleep_until(clockid_t clock, const timespec& deadline) noexcept {
    const int error = clock_nanosleep(clock, TIMER_ABSTIME, &deadline, nullptr);
    return error != 0 ? error : ETIMEDOUT;
}

}  // namespace halvm::libc
