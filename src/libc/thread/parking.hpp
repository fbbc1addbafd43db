// SPDX-License-Identifier: BSD-3-Clause
// Where fibers wait for an object whose layout glibc's headers fix: a mutex that a static initialiser has made has no
// room for a queue. So the fibers stand in a table, found by the object's address, in the order in which they came.
#pragma once

#include "libc/thread/deadline.hpp"
#include "thread_machine.hpp"

#include <halvm/fiber/task.hpp>

#include <cerrno>
#include <cstddef>
#include <limits>

namespace halvm::libc {

/// A fiber that waits; it lies on the fiber's stack.
struct parked {
    const void* object;
    int tid;
    int mode;  // which of the things that the object can be waited for, in the object's own numbers
    fiber::wait_queue queue;
    parked* next = nullptr;
    parked* previous = nullptr;
};

/// What there is to do once a second fiber was started. Libraries lock in every program; one that never starts a fiber
/// has no reference to the table, and so no table.
struct parking_table {
    void (*append)(parked& here) noexcept;
    void (*remove)(parked& here) noexcept;
    parked* (*first)(const void* object) noexcept;
    void (*unpark)(parked& one) noexcept;
    void (*yield)() noexcept;
};

/// Null while there is one fiber. Set by begin_fibers() in startup.hpp.
extern const parking_table* parking;

/// Waits until unpark(). `what` names the object in listings. Returns 0, ETIMEDOUT, EINVAL for a time that cannot be,
/// or EAGAIN: the clock was set and has not reached the deadline yet, so look at the object again.
int park(const void* object, const char* what, const deadline& until = {}, int mode = 0) noexcept;

/// The fiber that has waited longest for the object, or null.
inline parked* first_parked(const void* object) noexcept {
    return parking == nullptr ? nullptr : parking->first(object);
}

/// Lets it go on. What it waited for is its own from now on, so nobody comes in between.
inline void unpark(parked& one) noexcept { parking->unpark(one); }

/// Lets up to `most` of those that wait for the object go on; returns how many.
std::size_t unpark_all(const void* object, std::size_t most = std::numeric_limits<std::size_t>::max()) noexcept;

/// park() for objects that count those who wait, so that nobody searches the table for none. Whoever unparks a fiber
/// takes it off the count, because the object may be gone before the fiber runs.
inline int park_counted(unsigned& waiting, const void* object, const char* what, const deadline& until = {},
                        int mode = 0) noexcept {
    ++waiting;
    const int error = park(object, what, until, mode);
    if (error != 0)
        --waiting;
    return error;
}

/// The one to whom the object goes next, taken off the count, or null. It still has to be unparked.
inline parked* next_of(unsigned& waiting, const void* object) noexcept {
    parked* const next = waiting == 0 ? nullptr : first_parked(object);
    if (next != nullptr)
        --waiting;
    return next;
}

}  // namespace halvm::libc
