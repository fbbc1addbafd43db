// SPDX-License-Identifier: BSD-3-Clause
// How boot hands the processor over to the C and C++ run time: a thread block for FS base, then run(). The rest of what
// musl's own start-up establishes (its global state, the standard streams, the environment) is initialised data here.
#pragma once

#include <cstddef>
#include <cstdint>

namespace halvm::libc {

/// Bytes that thread_block_init() needs: the image's thread_local variables and the thread that stands above them.
std::size_t thread_block_size() noexcept;

/// Lays out a thread block in `memory`, which may have any alignment and any content, and returns the FS base that
/// makes it the running thread. The canary is the same for every thread; `tid` is unique, above 0 and below 2^30.
void* thread_block_init(void* memory, std::uint64_t canary, int tid) noexcept;

/// To be called before the second fiber is started, and harmless later.
void begin_fibers() noexcept;

/// Runs the constructors of the image and `main`, then leaves as exit() does. Pre: FS base is set, the core works.
[[noreturn]] void run(int (*main)());

}  // namespace halvm::libc
