// SPDX-License-Identifier: BSD-3-Clause
// Xen's watchdog of a domain, which ends it when nobody has set the timer again in time. Fibers that give way set it,
// but most of them only look at the clock: it is set again once half of its time has passed. [xen/sched.h]
#include "core/hypercall.hpp"
#include "fiber/long_runs.hpp"

#include <halvm/fiber/watchdog.hpp>
#include <halvm/xen/errors.hpp>

#include <algorithm>

namespace halvm::fiber {
namespace {

constexpr instant second = 1'000'000'000;

class domain_watchdog final : public long_runs {
public:
    result<void> begin(instant limit) noexcept {
        start(limit);
        const long status = arm();
        if (status < 0) {
            stop();
            return failure{xen::hypercall_error(status, "set the domain's watchdog")};
        }
        return {};
    }

    void end() noexcept {
        stop();
        disarm();
    }

    void stretch_ends(const task& one) noexcept override {
        long_runs::stretch_ends(one);
        if (since() >= half_)
            arm();
    }

    void idle_begins(instant until) noexcept override {
        if (until >= end_)
            disarm();
    }

    void idle_ends() noexcept override {
        long_runs::idle_ends();
        if (end_ == never)
            arm();
    }

private:
    /// Twice the limit, so that half of it is left to a fiber that begins to run before the timer is set again.
    long arm() noexcept {
        constexpr instant longest = 0x7fff'ffff;
        const instant half = std::min(limit() / second + (limit() % second != 0), longest);
        half_ = since() + half * second;
        end_ = half_ + half * second;
        const long status = xen::hypercall::watchdog(id_, static_cast<std::uint32_t>(2 * half));
        if (id_ == 0 && status > 0)
            id_ = static_cast<std::uint32_t>(status);
        return status;
    }

    void disarm() noexcept {
        if (id_ != 0)
            xen::hypercall::watchdog(id_, 0);
        id_ = 0;
        end_ = never;
    }

    std::uint32_t id_ = 0;  // 0 is none
    instant half_ = never;
    instant end_ = never;
};

constinit domain_watchdog watchdog;

}  // namespace

result<void> start_watchdog(std::chrono::nanoseconds limit) noexcept {
    if (limit <= limit.zero())
        return failure{error{std::make_error_code(std::errc::invalid_argument), "watch over fibers"}};
    return watchdog.begin(static_cast<instant>(limit.count()));
}

void stop_watchdog() noexcept { watchdog.end(); }

}  // namespace halvm::fiber
