// SPDX-License-Identifier: BSD-3-Clause
// What is in a pthread_attr_t: musl's functions for the other attributes write behind these words,
// and nobody reads them.
#pragma once

#include <pthread.h>

#include <cstddef>

namespace halvm::libc {

struct thread_attributes {
    std::size_t stack = std::size_t{64} << 10;
    std::size_t guard = 4096;  // one page, or 0: then the stack is packed among others
    std::size_t unused = 0;
    int detached = PTHREAD_CREATE_JOINABLE;
};
static_assert(sizeof(thread_attributes) <= sizeof(pthread_attr_t));

inline constexpr std::size_t largest_stack = std::size_t{1} << 30;

}  // namespace halvm::libc
