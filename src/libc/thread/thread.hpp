// SPDX-License-Identifier: BSD-3-Clause
// A fiber that pthread_create() made. A pthread_t is the address of its musl::thread, which pthread_self() reads.
#pragma once

#include "libc/musl_layout.hpp"

#include <halvm/fiber/task.hpp>

#include <pthread.h>

namespace halvm::libc {

struct thread final : fiber::task {
    void* (*function)(void*) = nullptr;
    void* argument = nullptr;
    void* result = nullptr;
    bool awaited = false;  // somebody joins it
};

inline musl::thread& thread_block(pthread_t handle) noexcept { return *reinterpret_cast<musl::thread*>(handle); }

/// Null for the main fiber, and for fibers that were made otherwise.
inline thread* thread_of(pthread_t handle) noexcept { return static_cast<thread*>(thread_block(handle).made_by_us); }

}  // namespace halvm::libc
