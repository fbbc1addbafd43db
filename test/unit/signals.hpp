// SPDX-License-Identifier: BSD-3-Clause
// Signals that interrupt system calls, as a profiler or a resized terminal does.
#pragma once

#include <chrono>
#include <csignal>
#include <sys/time.h>

namespace halvm::test {

/// As long as it lives, SIGALRM comes every `period` and makes blocked system calls fail with EINTR.
class signal_every {
public:
    explicit signal_every(std::chrono::microseconds period) {
        counted = 0;
        struct sigaction action {};
        action.sa_handler = [](int) { counted = counted + 1; };
        sigaction(SIGALRM, &action, &before_);
        const timeval each{0, period.count()};
        const itimerval timer{each, each};
        setitimer(ITIMER_REAL, &timer, nullptr);
    }
    signal_every(const signal_every&) = delete;
    signal_every& operator=(const signal_every&) = delete;
    ~signal_every() {
        const itimerval stopped{};
        setitimer(ITIMER_REAL, &stopped, nullptr);
        sigaction(SIGALRM, &before_, nullptr);
    }

    int count() const { return counted; }

private:
    struct sigaction before_;
    static inline volatile std::sig_atomic_t counted = 0;
};

}  // namespace halvm::test
