// SPDX-License-Identifier: BSD-3-Clause
// What POSIX threads (src/libc/thread) ask of the machine, in a process: glibc's layouts, its clocks, and nothing that
// lies in the thread's own storage, for all fibers have that of one thread.
#pragma once

#include "fiber_machine.hpp"

#include <halvm/fiber/scheduler.hpp>

#include <ctime>
#include <mutex>

namespace halvm::libc {

inline std::uint64_t clock_of_system(clockid_t clock) noexcept {
    timespec now;
    clock_gettime(clock, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}
inline std::uint64_t monotonic_ns() noexcept { return clock_of_system(CLOCK_MONOTONIC); }
inline std::uint64_t running_ns() noexcept { return clock_of_system(CLOCK_PROCESS_CPUTIME_ID); }
inline std::uint64_t wall_ns() noexcept { return clock_of_system(CLOCK_REALTIME); }
inline void sleep_until_ns(std::uint64_t deadline) noexcept {
    fiber::wait_queue nobody{"time"};
    fiber::this_scheduler().wait(nobody, fiber::wait_limit{deadline});
}

/// The number of the calling fiber, by which locks know their owner: unique, above 0.
inline int own_tid() noexcept { return fiber::this_scheduler().current().number; }

/// The first fiber is the thread that the C library knows; the pthread_t of another is its task's address.
pthread_t handle_of(const fiber::task& one) noexcept;
fiber::task& task_of(pthread_t handle) noexcept;

/// What is in a pthread_attr_t, in glibc's layout, because glibc's functions for the other attributes use it too.
struct thread_attributes {
    int priority;
    int policy;
    unsigned detached : 1;
    unsigned other_flags : 31;
    std::size_t guard;
    void* stack_end;
    std::size_t stack;
};

/// glibc's functions may have allocated what is behind.
void forget_attributes(pthread_attr_t* attributes) noexcept;

/// The number of the first pthread key of ours, of which interposed.S knows. The keys below it are the C library's: a
/// sanitizer makes them before there is a scheduler, and they stay the thread's.
inline constexpr unsigned first_key = 1 << 16;

/// What std::call_once() told pthread_once() beside its arguments lies in the thread's storage, where the next fiber to
/// call it writes too.
struct call_once_words {
    void* callable = std::__once_callable;
    void (*call)() = std::__once_call;

    void restore() const noexcept {
        std::__once_callable = callable;
        std::__once_call = call;
    }
};

using fiber::happens_after;
using fiber::happens_before;

}  // namespace halvm::libc
