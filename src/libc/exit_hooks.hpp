// SPDX-License-Identifier: BSD-3-Clause
// What exit() and abort() run besides, where a program links it.
#pragma once

namespace halvm::libc {

/// Destroys the calling thread's thread_local objects, the last constructed first.
void run_thread_destructors();

/// Destroys what the calling fiber stored under pthread keys. The end of a fiber does, exit() does not.
void run_key_destructors();

/// Whoever waits for a robust mutex of the calling fiber gets it, and is told.
void orphan_mutexes() noexcept;

/// The end of a fiber: thread_local objects, then pthread keys, then what it still holds.
inline void end_of_fiber() {
    run_thread_destructors();
    run_key_destructors();
    orphan_mutexes();
}

/// Calls the handler that the program gave to SIGABRT, if it did.
void call_abort_handler();

}  // namespace halvm::libc
