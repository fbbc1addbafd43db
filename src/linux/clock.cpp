// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/linux/clock.hpp>

#include <ctime>
#include <poll.h>

namespace halvm::process {

// Not by clock_nanosleep(), which lets other fibers run: this is what is left to do when none can.
void sleep_until(clock::time_point deadline) noexcept {
    using namespace std::chrono;
    for (auto now = clock::now(); now < deadline; now = clock::now()) {
        const nanoseconds left = deadline - now;
        const auto whole = duration_cast<seconds>(left);
        const timespec rest{.tv_sec = whole.count(), .tv_nsec = nanoseconds{left - whole}.count()};
        ppoll(nullptr, 0, &rest, nullptr);
    }
}

}  // namespace halvm::process
