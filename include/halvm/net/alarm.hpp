// SPDX-License-Identifier: BSD-3-Clause
// The times at which a stack has something to do by itself: one fiber for all of them.
#pragma once

#include <halvm/fiber/clock.hpp>
#include <halvm/fiber/scheduler.hpp>
#include <halvm/fiber/timers.hpp>

#include <chrono>

namespace halvm::net {

/// A time, and what is done then, in the stack's own fiber: it must not block. Must not be set when it is destroyed.
class alarm : public fiber::timer {
public:
    using action = void (*)(alarm& one) noexcept;

    /// A part of something: `act` is called with it, and knows what it is a part of.
    explicit alarm(action act) noexcept : act_{act} {}
    alarm(const alarm&) = delete;
    alarm& operator=(const alarm&) = delete;

    void ring() noexcept { act_(*this); }

private:
    action act_;
};

class alarm_clock {
public:
    [[nodiscard]] static fiber::instant now() noexcept { return fiber::this_scheduler().now(); }

    /// Never blocks and allocates nothing. One that is set already is moved.
    void set(alarm& one, fiber::instant when) noexcept;
    void set_in(alarm& one, std::chrono::nanoseconds delay) noexcept { set(one, fiber::instant_after(delay)); }
    void cancel(alarm& one) noexcept;

    [[nodiscard]] bool is_due() noexcept { return wheel_.earliest() <= now(); }
    /// Rings what is due.
    void ring() noexcept;
    /// Until something is due, or wake() is called.
    void wait(const std::stop_token& stop) noexcept;
    void wake() noexcept { fiber::this_scheduler().signal(waiting_); }

private:
    fiber::timer_wheel wheel_;
    fiber::wait_queue waiting_{"a network alarm", true};
};

}  // namespace halvm::net
