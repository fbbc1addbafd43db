// SPDX-License-Identifier: BSD-3-Clause
// pthread barriers. The last to arrive lets the others go; whoever comes back is of the next phase.
#include "libc/thread/parking.hpp"

#include <pthread.h>

namespace libc = halvm::libc;

namespace {

struct counts {
    unsigned size;
    unsigned arrived;
};
static_assert(sizeof(counts) <= sizeof(pthread_barrier_t));

counts& counts_of(pthread_barrier_t* barrier) noexcept { return *reinterpret_cast<counts*>(barrier); }

}  // namespace

extern "C" {

int pthread_barrier_init(pthread_barrier_t* barrier, const pthread_barrierattr_t*, unsigned size) noexcept {
    if (size == 0)
        return EINVAL;
    *barrier = {};
    counts_of(barrier).size = size;
    return 0;
}

int pthread_barrier_destroy(pthread_barrier_t* barrier) noexcept { return counts_of(barrier).arrived != 0 ? EBUSY : 0; }

int pthread_barrier_wait(pthread_barrier_t* barrier) noexcept {
    counts& now = counts_of(barrier);
    libc::happens_before(barrier);
    if (++now.arrived != now.size) {
        libc::park(barrier, "barrier");
        libc::happens_after(barrier);
        return 0;
    }
    now.arrived = 0;
    libc::happens_after(barrier);
    libc::unpark_all(barrier);
    return PTHREAD_BARRIER_SERIAL_THREAD;
}
}
