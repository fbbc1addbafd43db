// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <pthread.h>

namespace halvm::libc {

inline constexpr unsigned most_keys = 128;

struct key {
    bool used = false;
    unsigned generation = 0;
    void (*destroy)(void*) = nullptr;
};

extern key keys[most_keys];

}  // namespace halvm::libc
