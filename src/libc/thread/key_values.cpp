// SPDX-License-Identifier: BSD-3-Clause
// What fibers store under pthread keys. A fiber that stores nothing has only a pointer for it.
#include "libc/exit_hooks.hpp"
#include "libc/thread/key.hpp"

#include <halvm/fiber/scheduler.hpp>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <utility>

namespace {

using halvm::libc::index_of;
using halvm::libc::keys;
using halvm::libc::most_keys;

struct value {
    const void* pointer;
    unsigned generation;
};

value* values_of_caller() noexcept { return static_cast<value*>(halvm::fiber::this_scheduler().current().key_values); }

bool set(const value& one, const halvm::libc::key& key) noexcept {
    return one.pointer != nullptr && key.used && one.generation == key.generation;
}

/// Destroys each value that is there; false when there was none.
bool destroy_each(value* values) {
    bool some = false;
    for (unsigned index = 0; index != most_keys; ++index) {
        if (!set(values[index], keys[index]) || keys[index].destroy == nullptr)
            continue;
        some = true;
        keys[index].destroy(const_cast<void*>(std::exchange(values[index].pointer, nullptr)));
    }
    return some;
}

}  // namespace

namespace halvm::libc {

void run_key_destructors() {
    value* const values = values_of_caller();
    if (values == nullptr)
        return;
    // A destructor may store again; POSIX limits how often that is followed.
    for (int round = 0; round != PTHREAD_DESTRUCTOR_ITERATIONS && destroy_each(values); ++round) {}
    std::free(std::exchange(fiber::this_scheduler().current().key_values, nullptr));
}

}  // namespace halvm::libc

extern "C" {

int pthread_setspecific(pthread_key_t number, const void* pointer) noexcept {
    const unsigned index = index_of(number);
    if (index >= most_keys || !keys[index].used)
        return EINVAL;
    void*& values = halvm::fiber::this_scheduler().current().key_values;
    if (values == nullptr)
        values = std::calloc(most_keys, sizeof(value));
    if (values == nullptr)
        return ENOMEM;
    values_of_caller()[index] = {pointer, keys[index].generation};
    return 0;
}

void* pthread_getspecific(pthread_key_t number) noexcept {
    const unsigned index = index_of(number);
    const value* const values = values_of_caller();
    if (index >= most_keys || values == nullptr || !set(values[index], keys[index]))
        return nullptr;
    return const_cast<void*>(values[index].pointer);
}
}
