// SPDX-License-Identifier: BSD-3-Clause
// pthread_once: the ground of std::call_once, so an exception of the callee leaves the flag as it was.
#include "libc/thread/self.hpp"

#include <pthread.h>

namespace {

enum : int { untouched = 0, running = 1, done = 2 };

}  // namespace

extern "C" {

int pthread_once(pthread_once_t* flag, void (*callee)()) {
    if (*flag == done)
        return 0;
    if (*flag == running)
        halvm::libc::wait_for_ever("pthread_once", "the call that it waits for is the caller's own");
    struct reset_on_exception {
        pthread_once_t* flag;
        ~reset_on_exception() {
            if (*flag == running)
                *flag = untouched;
        }
    } const guard{flag};
    *flag = running;
    callee();
    *flag = done;
    return 0;
}

[[gnu::alias("pthread_once")]] int __pthread_once(pthread_once_t*, void (*)());
}
