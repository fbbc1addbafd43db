// SPDX-License-Identifier: BSD-3-Clause
// Sleeping. There are no signals, so a sleep is never cut short.
#include "libc/time/timespec.hpp"

#include <unistd.h>

#include <cerrno>

namespace {

namespace libc = halvm::libc;

void sleep_for_ns(std::uint64_t nanoseconds) noexcept {
    std::uint64_t deadline;
    if (__builtin_add_overflow(libc::monotonic_ns(), nanoseconds, &deadline))
        deadline = UINT64_MAX;
    libc::sleep_until_ns(deadline);
}

}  // namespace

extern "C" {

int clock_nanosleep(clockid_t clock, int flags, const timespec* time, timespec*) {
    if (clock == CLOCK_PROCESS_CPUTIME_ID)
        return ENOTSUP;
    const auto nanoseconds = libc::to_nanoseconds(*time);
    const auto now = libc::clock_ns(clock);
    if (!nanoseconds || !now)
        return EINVAL;
    if ((flags & TIMER_ABSTIME) == 0) {
        if (time->tv_sec < 0)
            return EINVAL;
        sleep_for_ns(*nanoseconds);
        return 0;
    }
    // The wall clock may be set while this sleeps: look again.
    for (auto current = now; *current < *nanoseconds; current = libc::clock_ns(clock)) {
        sleep_for_ns(*nanoseconds - *current);
    }
    return 0;
}

// musl's thrd_sleep() asks for it by this name.
int __clock_nanosleep(clockid_t clock, int flags, const timespec* time, timespec* rest) {
    return clock_nanosleep(clock, flags, time, rest);
}

int nanosleep(const timespec* time, timespec* rest) {
    const int error = clock_nanosleep(CLOCK_MONOTONIC, 0, time, rest);
    if (error == 0)
        return 0;
    errno = error;
    return -1;
}

unsigned sleep(unsigned seconds) {
    sleep_for_ns(seconds * libc::nanoseconds_per_second);
    return 0;
}

int usleep(useconds_t microseconds) {
    sleep_for_ns(microseconds * std::uint64_t{1000});
    return 0;
}
}
