// SPDX-License-Identifier: BSD-3-Clause
// POSIX semaphores: the value is in the first word, how many wait in the second. What is posted goes to the fiber that
// has waited longest.
#include "libc/thread/parking.hpp"

#include <semaphore.h>

#include <climits>

namespace libc = halvm::libc;

namespace {

struct counts {
    unsigned value;
    unsigned waiting;
};
static_assert(sizeof(counts) <= sizeof(sem_t));

counts& counts_of(sem_t* semaphore) noexcept { return *reinterpret_cast<counts*>(semaphore); }

int fail(int error) noexcept {
    errno = error;
    return -1;
}

bool take(sem_t* semaphore) noexcept {
    unsigned& value = counts_of(semaphore).value;
    if (value == 0)
        return false;
    --value;
    libc::happens_after(semaphore);
    return true;
}

int wait(sem_t* semaphore, const libc::deadline& until) noexcept {
    while (!take(semaphore)) {
        const int error = libc::park_counted(counts_of(semaphore).waiting, semaphore, "semaphore", until);
        if (error == 0) {
            libc::happens_after(semaphore);
            return 0;
        }
        if (error != EAGAIN)
            return fail(error);
    }
    return 0;
}

}  // namespace

extern "C" {

int sem_init(sem_t* semaphore, int, unsigned value) noexcept {
    if (value > SEM_VALUE_MAX)
        return fail(EINVAL);
    *semaphore = {};
    counts_of(semaphore).value = value;
    return 0;
}

int sem_destroy(sem_t*) noexcept { return 0; }

int sem_getvalue(sem_t* semaphore, int* value) noexcept {
    *value = static_cast<int>(counts_of(semaphore).value);
    return 0;
}

int sem_post(sem_t* semaphore) noexcept {
    counts& now = counts_of(semaphore);
    if (now.value == SEM_VALUE_MAX)
        return fail(EOVERFLOW);
    libc::happens_before(semaphore);
    if (libc::parked* const next = libc::next_of(now.waiting, semaphore))
        libc::unpark(*next);
    else
        ++now.value;
    return 0;
}

int sem_trywait(sem_t* semaphore) noexcept { return take(semaphore) ? 0 : fail(EAGAIN); }

int sem_wait(sem_t* semaphore) { return wait(semaphore, {}); }

int sem_clockwait(sem_t* semaphore, clockid_t clock, const timespec* until) { return wait(semaphore, {clock, *until}); }

int sem_timedwait(sem_t* semaphore, const timespec* until) { return wait(semaphore, {CLOCK_REALTIME, *until}); }
}
