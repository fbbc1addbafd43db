// SPDX-License-Identifier: BSD-3-Clause
// Destructors of thread_local objects.
#include "libc/exit_hooks.hpp"

#include <cstdlib>
#include <new>

namespace {

struct entry {
    void (*destroy)(void*);
    void* object;
    entry* next;
};

thread_local entry* newest = nullptr;

}  // namespace

namespace halvm::libc {

void run_thread_destructors() {
    while (entry* const last = newest) {
        newest = last->next;
        last->destroy(last->object);
        std::free(last);
    }
}

}  // namespace halvm::libc

extern "C" int __cxa_thread_atexit_impl(void (*destroy)(void*), void* object, void*) {
    void* const memory = std::malloc(sizeof(entry));
    if (memory == nullptr)
        return -1;
    newest = new (memory) entry{destroy, object, newest};
    return 0;
}
