// SPDX-License-Identifier: BSD-3-Clause
#include "libc/thread/parking.hpp"

#include <sched.h>

extern "C" int sched_yield() noexcept {
    if (halvm::libc::parking != nullptr)
        halvm::libc::parking->yield();
    return 0;
}
