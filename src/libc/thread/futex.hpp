// SPDX-License-Identifier: BSD-3-Clause
// The one system call that libstdc++'s headers and objects make by its number: the futex under std::atomic's wait,
// semaphores, futures, and the guards of static objects.
#pragma once

#include <ctime>

namespace halvm::libc {

/// FUTEX_WAIT, FUTEX_WAIT_BITSET and FUTEX_WAKE as futex(2) has them, between fibers; -1 and errno for failures, which
/// is ENOSYS for the other operations.
long futex(const int* word, int operation, int value, const timespec* time) noexcept;

}  // namespace halvm::libc
