// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "thread_machine.hpp"

#include <pthread.h>

namespace halvm::libc {

inline constexpr unsigned most_keys = 128;

struct key {
    bool used = false;
    unsigned generation = 0;
    void (*destroy)(void*) = nullptr;
};

extern key keys[most_keys];

/// The index of a key, or one that is not below `most_keys`.
inline unsigned index_of(pthread_key_t number) noexcept { return number - first_key; }

}  // namespace halvm::libc
