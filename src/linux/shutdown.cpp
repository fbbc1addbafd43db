// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/shutdown.hpp>

#include <halvm/fiber/spawn.hpp>
#include <halvm/linux/readiness.hpp>

#include <csignal>
#include <sys/signalfd.h>
#include <unistd.h>

namespace halvm {
namespace {

/// The signals end nothing any more, and can be waited for instead.
void wait_for_signals(std::stop_source& stop) noexcept {
    sigset_t asked;
    sigemptyset(&asked);
    sigaddset(&asked, SIGTERM);
    sigaddset(&asked, SIGINT);
    const int descriptor = signalfd(-1, &asked, SFD_NONBLOCK | SFD_CLOEXEC);
    if (descriptor < 0 || sigprocmask(SIG_BLOCK, &asked, nullptr) != 0)
        return;
    static_cast<void>(process::wait_ready(descriptor, process::direction::read));
    // A second one ends the process as it always does.
    signalfd_siginfo first;
    static_cast<void>(read(descriptor, &first, sizeof first));
    sigprocmask(SIG_UNBLOCK, &asked, nullptr);
    close(descriptor);
    stop.request_stop();
}

}  // namespace

std::stop_token shutdown_token() noexcept {
    static auto& stop = *new std::stop_source;
    static bool waiting = false;
    if (!waiting) {
        waiting = true;
        fiber::spawn([] { wait_for_signals(stop); }, {.name = "shutdown", .service = true}).detach();
        // Signals wait from here on.
        fiber::yield();
    }
    return stop.get_token();
}

}  // namespace halvm
