// SPDX-License-Identifier: BSD-3-Clause
// pthread keys. A deleted key's number is given out again, so each value remembers which key it was stored under.
#include <pthread.h>

#include <cerrno>

namespace {

constexpr unsigned most_keys = 128;

struct key {
    bool used = false;
    unsigned generation = 0;
};

struct value {
    const void* pointer = nullptr;
    unsigned generation = 0;
};

key keys[most_keys];
thread_local value values[most_keys];

}  // namespace

extern "C" {

// The destructor is what pthread_exit() would run: the main thread leaves by exit(), which runs none.
int pthread_key_create(pthread_key_t* created, void (*)(void*)) noexcept {
    for (unsigned number = 0; number != most_keys; ++number) {
        if (keys[number].used)
            continue;
        keys[number] = {true, keys[number].generation + 1};
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

int pthread_setspecific(pthread_key_t number, const void* pointer) noexcept {
    if (number >= most_keys || !keys[number].used)
        return EINVAL;
    values[number] = {pointer, keys[number].generation};
    return 0;
}

void* pthread_getspecific(pthread_key_t number) noexcept {
    if (number >= most_keys || values[number].generation != keys[number].generation)
        return nullptr;
    return const_cast<void*>(values[number].pointer);
}
}
