// SPDX-License-Identifier: BSD-3-Clause
// POSIX semaphores: the value is in the first word.
#include "libc/thread/deadline.hpp"
#include "libc/thread/self.hpp"

#include <semaphore.h>

#include <cerrno>
#include <climits>

namespace {

unsigned& value_of(sem_t* semaphore) noexcept { return *reinterpret_cast<unsigned*>(semaphore); }

int fail(int error) noexcept {
    errno = error;
    return -1;
}

bool take(sem_t* semaphore) noexcept {
    unsigned& value = value_of(semaphore);
    if (value == 0)
        return false;
    --value;
    return true;
}

}  // namespace

extern "C" {

int sem_init(sem_t* semaphore, int, unsigned value) noexcept {
    if (value > SEM_VALUE_MAX)
        return fail(EINVAL);
    *semaphore = {};
    value_of(semaphore) = value;
    return 0;
}

int sem_destroy(sem_t*) noexcept { return 0; }

int sem_getvalue(sem_t* semaphore, int* value) noexcept {
    *value = static_cast<int>(value_of(semaphore));
    return 0;
}

int sem_post(sem_t* semaphore) noexcept {
    if (value_of(semaphore) == SEM_VALUE_MAX)
        return fail(EOVERFLOW);
    ++value_of(semaphore);
    return 0;
}

int sem_trywait(sem_t* semaphore) noexcept { return take(semaphore) ? 0 : fail(EAGAIN); }

int sem_wait(sem_t* semaphore) {
    if (!take(semaphore))
        halvm::libc::wait_for_ever("sem_wait", "there is no other thread to post the semaphore");
    return 0;
}

int sem_clockwait(sem_t* semaphore, clockid_t clock, const timespec* deadline) {
    return take(semaphore) ? 0 : fail(halvm::libc::sleep_until(clock, *deadline));
}

int sem_timedwait(sem_t* semaphore, const timespec* deadline) {
    return sem_clockwait(semaphore, CLOCK_REALTIME, deadline);
}
}
