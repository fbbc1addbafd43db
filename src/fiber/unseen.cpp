// SPDX-License-Identifier: BSD-3-Clause
// By itself, so that only a program that is compiled with the thread sanitizer has it.
#include <halvm/fiber/scheduler.hpp>

namespace halvm::fiber {

void scheduler::begin_wait_unseen(sleeper& one, waiter& first, instant deadline) noexcept {
    begin_wait(one, first, deadline);
}

}  // namespace halvm::fiber
