// SPDX-License-Identifier: BSD-3-Clause
// A fiber that pthread_create() made.
#pragma once

#include "thread_machine.hpp"

#include <halvm/fiber/task.hpp>

#include <pthread.h>

namespace halvm::libc {

/// Of a thread for which nothing else was asked.
inline constexpr std::size_t standard_stack = std::size_t{64} << 10;
inline constexpr std::size_t standard_guard = 4096;  // one page, or 0: then the stack is packed among others
static_assert(sizeof(thread_attributes) <= sizeof(pthread_attr_t));

struct thread final : fiber::task {
    void* (*function)(void*) = nullptr;
    void* argument = nullptr;
    void* result = nullptr;
    bool awaited = false;  // somebody joins it
};

/// The body of such a fiber, by which it is known.
void run_thread(fiber::task& base) noexcept;

/// Null for the main fiber, and for fibers that were made otherwise.
inline thread* thread_of(pthread_t handle) noexcept {
    fiber::task& one = task_of(handle);
    return one.body == run_thread ? static_cast<thread*>(&one) : nullptr;
}

}  // namespace halvm::libc
