// SPDX-License-Identifier: BSD-3-Clause
// A machine below the scheduler whose clock moves by hand: time jumps to the next deadline when nobody can run.
#pragma once

#include <halvm/fiber.hpp>

#include <functional>
#include <string>
#include <string_view>

namespace halvm::test {

struct fiber_world final : fiber::machine {
    fiber::instant now() noexcept override { return time; }
    void poll() noexcept override;
    void wait(fiber::instant deadline) noexcept override;
    void deadlock() noexcept override { ++deadlocks; }

    fiber::instant time = 1'000'000;
    std::function<void()> on_poll;  ///< what the world outside does
    std::function<void()> on_wait;  ///< the same, when nobody can run
    /// Where time stands when wait() returns; all the way to the deadline when there is none.
    std::function<fiber::instant(fiber::instant deadline)> wakes_at;
    unsigned polls = 0;
    unsigned waits = 0;
    unsigned deadlocks = 0;
    fiber::scheduler fibers{*this};
};

/// True when there is no memory for new stacks.
inline bool stacks_refused = false;

/// What was reported since the last call: long runs and listings.
std::string reports();

}  // namespace halvm::test
