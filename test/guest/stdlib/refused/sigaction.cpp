// SPDX-License-Identifier: BSD-3-Clause
// feature: signals from outside and timers: `sigaction`, `sigprocmask`, `alarm`, `timer_create`
// status: fails to link
// detail: alarm, sigaction, sigprocmask, timer_create
#include <csignal>
#include <ctime>

#include <unistd.h>

int halvm_main() {
    struct sigaction action = {};
    timer_t timer;
    alarm(1);
    return sigaction(SIGALRM, &action, nullptr) + sigprocmask(SIG_BLOCK, &action.sa_mask, nullptr) +
           timer_create(CLOCK_REALTIME, nullptr, &timer);
}
