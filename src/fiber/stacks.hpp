// SPDX-License-Identifier: BSD-3-Clause
// Stacks, pooled: one that was given back is handed out again, so that a spawn costs no system or hypervisor call.
#pragma once

#include <halvm/fiber/task.hpp>

#include <cstddef>

namespace halvm::fiber {

/// A stack of at least `size` bytes, with a page below it that nobody can touch, or packed among others without one.
/// Its `base` is null when there is no memory.
stack_memory take_stack(std::size_t size, bool guarded) noexcept;
void give_back_stack(const stack_memory& stack) noexcept;

/// Panics, with the fiber's name, when the lowest words of its unguarded stack have been written.
void check_stack(const task& owner) noexcept;

/// How many bytes of the stack have been used since it was made, by its owner of today or an earlier one.
std::size_t stack_used(const stack_memory& stack) noexcept;

/// What the machine below does: zeroed memory, with an untouchable page before it when `guarded`. Null on failure.
std::byte* map_stack(std::size_t size, bool guarded) noexcept;

}  // namespace halvm::fiber
