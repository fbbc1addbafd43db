// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/net/alarm.hpp>

namespace halvm::net {

void alarm_clock::set(alarm& one, fiber::instant when) noexcept {
    cancel(one);
    const bool is_first = when < wheel_.earliest();
    wheel_.insert(one, when);
    if (is_first)
        wake();
}

void alarm_clock::cancel(alarm& one) noexcept {
    if (one.pending())
        wheel_.cancel(one);
}

void alarm_clock::ring() noexcept {
    wheel_.expire(now(), [](fiber::timer& one) { static_cast<alarm&>(one).ring(); });
}

void alarm_clock::wait(const std::stop_token& stop) noexcept {
    fiber::this_scheduler().wait(waiting_, fiber::wait_limit{wheel_.earliest(), stop});
}

}  // namespace halvm::net
