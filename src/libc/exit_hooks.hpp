// SPDX-License-Identifier: BSD-3-Clause
// What exit() runs besides atexit()'s functions, where a program links it.
#pragma once

namespace halvm::libc {

/// Destroys the calling thread's thread_local objects, the last constructed first.
void run_thread_destructors();

}  // namespace halvm::libc
