// SPDX-License-Identifier: BSD-3-Clause
// What POSIX threads (src/libc/thread) ask of the machine, on a domain: all that a thread has of its own lies in its
// thread block, whose address is its pthread_t.
#pragma once

#include "core/time.hpp"
#include "fiber_machine.hpp"
#include "libc/musl_layout.hpp"

#include <halvm/fiber/task.hpp>

namespace halvm::libc {

using core::monotonic_ns;
using core::running_ns;
using core::sleep_until_ns;
using core::wall_ns;

/// The number of the calling fiber, by which locks know their owner: unique, above 0.
inline int own_tid() noexcept { return musl::self()->tid; }

inline pthread_t handle_of(const fiber::task& one) noexcept { return one.kept[0]; }
inline fiber::task& task_of(pthread_t handle) noexcept {
    return *static_cast<fiber::task*>(reinterpret_cast<musl::thread*>(handle)->task);
}

/// What is in a pthread_attr_t: musl's functions for the other attributes write behind these words, and nobody reads
/// them.
struct thread_attributes {
    std::size_t stack;
    std::size_t guard;
    std::size_t unused;
    unsigned detached : 1;
};

inline void forget_attributes(pthread_attr_t*) noexcept {}

/// The number of the first pthread key of ours. Below it are those of the system underneath; there is none.
inline constexpr unsigned first_key = 0;

/// What std::call_once() told pthread_once() beside its arguments is the fiber's own.
struct call_once_words {
    void restore() const noexcept {}
};

using fiber::happens_after;
using fiber::happens_before;

}  // namespace halvm::libc
