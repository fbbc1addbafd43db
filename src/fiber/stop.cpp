// SPDX-License-Identifier: BSD-3-Clause
// Waits that a stop token ends.
#include <halvm/fiber/scheduler.hpp>

namespace halvm::fiber {

wake detail::wait_until_stopped(scheduler& own, waiter& first, const wait_limit& limit) noexcept {
    if (limit.stop.stop_requested())
        return wake::stopped;
    // Runs in the fiber that asks to stop, while this one waits below.
    task& self = own.current();
    const std::stop_callback on_stop{limit.stop, [&] {
                                         if (self.state == task_state::waiting)
                                             own.end_wait(self, wake::stopped, nullptr);
                                     }};
    return own.wait_any(first, wait_limit{limit.deadline});
}

}  // namespace halvm::fiber
