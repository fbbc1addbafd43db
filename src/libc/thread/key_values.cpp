// SPDX-License-Identifier: BSD-3-Clause
// What fibers store under pthread keys. A fiber that stores nothing has only a pointer for it.
#include "libc/exit_hooks.hpp"
#include "libc/thread/key.hpp"

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <utility>

namespace {

using halvm::libc::keys;
using halvm::libc::most_keys;

struct value {
    const void* pointer;
    unsigned generation;
};

thread_local value* values = nullptr;

bool set(unsigned number) noexcept {
    return values[number].pointer != nullptr && keys[number].used &&
           values[number].generation == keys[number].generation;
}

/// Destroys each value that is there; false when there was none.
bool destroy_each() {
    bool some = false;
    for (unsigned number = 0; number != most_keys; ++number) {
        if (!set(number) || keys[number].destroy == nullptr)
            continue;
        some = true;
        keys[number].destroy(const_cast<void*>(std::exchange(values[number].pointer, nullptr)));
    }
    return some;
}

}  // namespace

namespace halvm::libc {

void run_key_destructors() {
    if (values == nullptr)
        return;
    // A destructor may store again; POSIX limits how often that is followed.
    for (int round = 0; round != PTHREAD_DESTRUCTOR_ITERATIONS && destroy_each(); ++round) {}
    std::free(std::exchange(values, nullptr));
}

}  // namespace halvm::libc

extern "C" {

int pthread_setspecific(pthread_key_t number, const void* pointer) noexcept {
    if (number >= most_keys || !keys[number].used)
        return EINVAL;
    if (values == nullptr) {
        values = static_cast<value*>(std::calloc(most_keys, sizeof(value)));
        if (values == nullptr)
            return ENOMEM;
    }
    values[number] = {pointer, keys[number].generation};
    return 0;
}

void* pthread_getspecific(pthread_key_t number) noexcept {
    if (number >= most_keys || values == nullptr || !set(number))
        return nullptr;
    return const_cast<void*>(values[number].pointer);
}
}
