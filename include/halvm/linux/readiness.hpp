// SPDX-License-Identifier: BSD-3-Clause
// Waiting for file descriptors as a fiber: others run meanwhile, and when none can, the process sleeps in epoll.
#pragma once

#include <halvm/fiber/scheduler.hpp>
#include <halvm/result.hpp>

#include <cstdint>

namespace halvm::process {

enum class direction : std::uint8_t { read, write };

/// Blocks the calling fiber until `descriptor` can be read from or written to without blocking, has failed or was hung
/// up, or until the limit. A file that is always ready, as those on disks are, does not block. The descriptor stays
/// open meanwhile.
/// Errors: what epoll_ctl(2) says of the descriptor.
result<fiber::wake> wait_ready(int descriptor, direction which, const fiber::wait_limit& limit = {}) noexcept;

/// Signals a queue for as long as it lives whenever a descriptor can be read from, and it is looked: a wait costs no
/// call of the kernel of its own.
class ready_signal {
public:
    ready_signal() noexcept = default;
    ready_signal(const ready_signal&) = delete;
    ready_signal& operator=(const ready_signal&) = delete;
    ~ready_signal();

    /// Begins. Pre: it has not begun; the descriptor stays open, and the queue and `noted`, which is set each time
    /// besides, are there as long as this; nobody else waits for the descriptor.
    /// Errors: what epoll_ctl(2) says of the descriptor.
    result<void> begin(int descriptor, fiber::wait_queue& readers, bool& noted) noexcept;
    /// Once the descriptor can be written to, `writers` is signalled, once. Pre: it has begun.
    void await_writable(fiber::wait_queue& writers) noexcept;
    /// For whoever looks.
    void became(bool readable, bool writable) noexcept;

private:
    int descriptor_ = -1;
    fiber::wait_queue* readers_ = nullptr;
    fiber::wait_queue* writers_ = nullptr;
    bool* noted_ = nullptr;
};

}  // namespace halvm::process
