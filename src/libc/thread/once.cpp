// SPDX-License-Identifier: BSD-3-Clause
// pthread_once: the ground of std::call_once, so an exception of the callee leaves the flag as it was, and the next of
// those that wait calls. A callee that comes back to its own flag waits for itself, which the scheduler reports.
#include "libc/thread/parking.hpp"

#include <pthread.h>

namespace libc = halvm::libc;

namespace {

enum : int { untouched = 0, running = 1, done = 2 };

}  // namespace

extern "C" {

int pthread_once(pthread_once_t* flag, void (*callee)()) {
    const libc::call_once_words told;
    while (*flag == running)
        libc::park(flag, "call once");
    libc::happens_after(flag);
    if (*flag == done)
        return 0;
    struct ended {
        pthread_once_t* flag;
        int state = untouched;
        ~ended() {
            *flag = state;
            libc::happens_before(flag);
            libc::unpark_all(flag);
        }
    } call{flag};
    *flag = running;
    told.restore();
    callee();
    call.state = done;
    return 0;
}

int __pthread_once(pthread_once_t* flag, void (*callee)()) { return pthread_once(flag, callee); }
}
