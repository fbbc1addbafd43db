// SPDX-License-Identifier: BSD-3-Clause
// Making pthread keys. A deleted number is given out again, so each value remembers the key under which it was stored.
#include "libc/thread/key.hpp"

#include <cerrno>

namespace halvm::libc {

constinit key keys[most_keys];

}  // namespace halvm::libc

using halvm::libc::keys;
using halvm::libc::most_keys;

extern "C" {

int pthread_key_create(pthread_key_t* created, void (*destroy)(void*)) noexcept {
    for (unsigned number = 0; number != most_keys; ++number) {
        if (keys[number].used)
            continue;
        keys[number] = {true, keys[number].generation + 1, destroy};
        *created = number;
        return 0;
    }
    return EAGAIN;
}

// libgcc refers to it weakly to find out whether there are locks, and then calls pthread_once and pthread_mutex_lock,
// to which it refers weakly too: kernel.lds fetches them together.
[[gnu::alias("pthread_key_create")]] int __pthread_key_create(pthread_key_t*, void (*)(void*)) noexcept;

int pthread_key_delete(pthread_key_t number) noexcept {
    if (number >= most_keys || !keys[number].used)
        return EINVAL;
    keys[number].used = false;
    return 0;
}
}
