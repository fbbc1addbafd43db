// SPDX-License-Identifier: BSD-3-Clause
// What exit() and abort() run besides, where a program links it.
#pragma once

namespace halvm::libc {

/// Destroys the calling thread's thread_local objects, the last constructed first.
void run_thread_destructors();

/// Destroys what the calling fiber stored under pthread keys. The end of a fiber does, exit() does not.
void run_key_destructors();

/// The end of a fiber: thread_local objects, then pthread keys.
inline void end_of_fiber() {
    run_thread_destructors();
    run_key_destructors();
}

/// Calls the handler that the program gave to SIGABRT, if it did.
void call_abort_handler();

}  // namespace halvm::libc
