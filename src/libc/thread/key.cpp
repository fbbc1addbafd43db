// SPDX-License-Identifier: BSD-3-Clause
// Making pthread keys. A deleted number is given out again, so each value remembers the key under which it was stored.
#include "libc/thread/key.hpp"

#include <cerrno>

namespace halvm::libc {

constinit key keys[most_keys];

}  // namespace halvm::libc

using halvm::libc::first_key;
using halvm::libc::index_of;
using halvm::libc::keys;
using halvm::libc::most_keys;

extern "C" {

int pthread_key_create(pthread_key_t* created, void (*destroy)(void*)) noexcept {
    for (unsigned index = 0; index != most_keys; ++index) {
        if (keys[index].used)
            continue;
        keys[index] = {true, keys[index].generation + 1, destroy};
        *created = first_key + index;
        return 0;
    }
    return EAGAIN;
}

// libgcc refers to it weakly to find out whether there are locks, and then calls pthread_once and pthread_mutex_lock,
// to which it refers weakly too: kernel.lds fetches them together.
int __pthread_key_create(pthread_key_t* created, void (*destroy)(void*)) noexcept {
    return pthread_key_create(created, destroy);
}

int pthread_key_delete(pthread_key_t number) noexcept {
    const unsigned index = index_of(number);
    if (index >= most_keys || !keys[index].used)
        return EINVAL;
    keys[index].used = false;
    return 0;
}
}
