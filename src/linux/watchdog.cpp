// SPDX-License-Identifier: BSD-3-Clause
// Names the fiber that keeps the processor: when it gives way, and in a signal handler when it does not. The handler
// runs on the stack that handlers_start() gave it, because a fiber's may be small.
#include "fiber/long_runs.hpp"
#include "fiber/report.hpp"
#include "text/line_writer.hpp"

#include <halvm/fiber/scheduler.hpp>
#include <halvm/fiber/watchdog.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <execinfo.h>
#include <unistd.h>

namespace halvm::fiber {
namespace {

constexpr auto attempted = "watch over fibers";

struct process_watchdog final : long_runs {};
constinit process_watchdog watchdog;

instant limit = 0;
instant named = 0;  // the beginning of the last stretch that was
timer_t ticker{};
bool has_timer = false;

/// Interrupts whatever runs, so it calls nothing but what may be called then, and backtrace(), which has nothing left
/// to load by now.
void look(int) {
    const int error_number = errno;
    auto& own = this_scheduler();
    const task& one = own.current();
    const instant began = watchdog.since();
    const instant now = own.now();
    // While nobody can run, the last fiber that did is waiting.
    if (one.state == task_state::running && began != named && now > began && now - began > limit) {
        named = began;
        line_writer text;
        text.text("halvm: fiber ");
        text.text(one.name());
        text.text(" has run for ");
        text.decimal((now - began) / 1'000'000);
        text.text(" ms and does not yield:\n");
        report_text(text.view());
        std::array<void*, 32> places;
        const int count = backtrace(places.data(), static_cast<int>(places.size()));
        backtrace_symbols_fd(places.data(), count, STDERR_FILENO);
    }
    errno = error_number;
}

bool prepare() noexcept {
    // The first call loads the unwinder.
    void* place = nullptr;
    backtrace(&place, 1);
    struct sigaction action {};
    action.sa_handler = look;
    action.sa_flags = SA_ONSTACK | SA_RESTART;
    return sigaction(SIGALRM, &action, nullptr) == 0;
}

bool arm(instant nanoseconds) noexcept {
    constexpr instant second = 1'000'000'000;
    const timespec time{.tv_sec = static_cast<std::time_t>(nanoseconds / second),
                        .tv_nsec = static_cast<long>(nanoseconds % second)};
    const itimerspec when{.it_interval = time, .it_value = time};
    return timer_settime(ticker, 0, &when, nullptr) == 0;
}

}  // namespace

result<void> start_watchdog(std::chrono::nanoseconds longest) noexcept {
    if (longest <= longest.zero())
        return failure{error{std::make_error_code(std::errc::invalid_argument), attempted}};
    limit = static_cast<instant>(longest.count());
    sigevent event{};
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGALRM;
    if (!has_timer) {
        if (!prepare() || timer_create(CLOCK_MONOTONIC, &event, &ticker) != 0)
            return failure{error{std::make_error_code(std::errc{errno}), attempted}};
        has_timer = true;
    }
    // Twice in each limit, so that half of it is the most by which a fiber is named late.
    if (!arm(std::max<instant>(limit / 2, 1'000'000)))
        return failure{error{std::make_error_code(std::errc{errno}), attempted}};
    watchdog.start(limit);
    return {};
}

void stop_watchdog() noexcept {
    watchdog.stop();
    if (has_timer)
        arm(0);
}

}  // namespace halvm::fiber
