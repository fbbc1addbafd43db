// SPDX-License-Identifier: BSD-3-Clause
// POSIX's clocks over the core's.
#include "core/time.hpp"
#include "libc/time/timespec.hpp"

#include <sys/time.h>

#include <cerrno>

namespace core = halvm::core;

extern "C" {

int clock_gettime(clockid_t clock, timespec* now) noexcept {
    const auto nanoseconds = halvm::libc::clock_ns(clock);
    if (!nanoseconds) {
        errno = EINVAL;
        return -1;
    }
    *now = halvm::libc::to_timespec(*nanoseconds);
    return 0;
}

[[gnu::alias("clock_gettime")]] int __clock_gettime(clockid_t, timespec*) noexcept;

int clock_getres(clockid_t clock, timespec* resolution) noexcept {
    if (!halvm::libc::clock_ns(clock)) {
        errno = EINVAL;
        return -1;
    }
    if (resolution != nullptr)
        *resolution = {.tv_sec = 0, .tv_nsec = 1};
    return 0;
}

int gettimeofday(timeval* now, void*) noexcept {
    const timespec time = halvm::libc::to_timespec(core::wall_ns());
    *now = {.tv_sec = time.tv_sec, .tv_usec = time.tv_nsec / 1000};
    return 0;
}

std::time_t time(std::time_t* also) noexcept {
    const std::time_t now = halvm::libc::to_timespec(core::wall_ns()).tv_sec;
    if (also != nullptr)
        *also = now;
    return now;
}

std::clock_t clock() noexcept {
    return static_cast<std::clock_t>(core::running_ns() / (1'000'000'000 / CLOCKS_PER_SEC));
}
}
