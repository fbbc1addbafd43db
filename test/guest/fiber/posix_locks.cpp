// SPDX-License-Identifier: BSD-3-Clause
// POSIX locks by their own names: what the standard library never asks of them, and the error numbers.
#include "report.hpp"

#include <pthread.h>
#include <semaphore.h>

#include <cerrno>
#include <ctime>
#include <thread>

namespace {

constexpr timespec past{1, 0};
constexpr timespec never_valid{1, 2'000'000'000};

void mutex() {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_t checked;
    HALVM_CHECK(pthread_mutex_init(&checked, &attributes) == 0);
    HALVM_CHECK(pthread_mutex_unlock(&checked) == EPERM);
    HALVM_CHECK(pthread_mutex_lock(&checked) == 0 && pthread_mutex_lock(&checked) == EDEADLK);
    HALVM_CHECK(pthread_mutex_trylock(&checked) == EBUSY && pthread_mutex_destroy(&checked) == EBUSY);
    std::thread{[&] {
        HALVM_CHECK(pthread_mutex_unlock(&checked) == EPERM);
        HALVM_CHECK(pthread_mutex_timedlock(&checked, &past) == ETIMEDOUT);
        HALVM_CHECK(pthread_mutex_timedlock(&checked, &never_valid) == EINVAL);
        HALVM_CHECK(pthread_mutex_clocklock(&checked, 99, &past) == EINVAL);
    }}.join();
    HALVM_CHECK(pthread_mutex_unlock(&checked) == 0 && pthread_mutex_destroy(&checked) == 0);
}

void condition() {
    pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&mutex);
    HALVM_CHECK(pthread_cond_timedwait(&condition, &mutex, &past) == ETIMEDOUT);
    HALVM_CHECK(pthread_cond_timedwait(&condition, &mutex, &never_valid) == EINVAL);
    HALVM_CHECK(pthread_cond_clockwait(&condition, &mutex, CLOCK_MONOTONIC, &past) == ETIMEDOUT);
    std::jthread waiting{[&] {
        pthread_mutex_lock(&mutex);
        pthread_cond_wait(&condition, &mutex);
        pthread_mutex_unlock(&mutex);
    }};
    pthread_mutex_unlock(&mutex);
    std::this_thread::yield();
    HALVM_CHECK(pthread_cond_destroy(&condition) == EBUSY);
    pthread_cond_broadcast(&condition);
    // Whoever was woken needs it no more.
    HALVM_CHECK(pthread_cond_destroy(&condition) == 0);
    condition = {};
}

void rwlock() {
    pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
    HALVM_CHECK(pthread_rwlock_unlock(&lock) == EPERM);
    HALVM_CHECK(pthread_rwlock_wrlock(&lock) == 0 && pthread_rwlock_rdlock(&lock) == EDEADLK);
    HALVM_CHECK(pthread_rwlock_destroy(&lock) == EBUSY);
    std::thread{[&] {
        HALVM_CHECK(pthread_rwlock_tryrdlock(&lock) == EBUSY && pthread_rwlock_unlock(&lock) == EPERM);
        HALVM_CHECK(pthread_rwlock_timedrdlock(&lock, &past) == ETIMEDOUT);
        HALVM_CHECK(pthread_rwlock_timedwrlock(&lock, &never_valid) == EINVAL);
    }}.join();
    HALVM_CHECK(pthread_rwlock_unlock(&lock) == 0 && pthread_rwlock_destroy(&lock) == 0);
}

void semaphore() {
    sem_t semaphore;
    HALVM_CHECK(sem_init(&semaphore, 0, 0) == 0 && sem_trywait(&semaphore) == -1 && errno == EAGAIN);
    HALVM_CHECK(sem_timedwait(&semaphore, &past) == -1 && errno == ETIMEDOUT);
    HALVM_CHECK(sem_timedwait(&semaphore, &never_valid) == -1 && errno == EINVAL);
    int taken = 0;
    std::jthread waiting{[&] {
        for (; taken != 3; ++taken)
            sem_wait(&semaphore);
    }};
    std::this_thread::yield();
    for (int i = 0; i != 4; ++i)
        sem_post(&semaphore);
    waiting.join();
    int value = -1;
    HALVM_CHECK(taken == 3 && sem_getvalue(&semaphore, &value) == 0 && value == 1 && sem_destroy(&semaphore) == 0);
}

void barrier() {
    pthread_barrier_t meeting;
    HALVM_CHECK(pthread_barrier_init(&meeting, nullptr, 0) == EINVAL);
    HALVM_CHECK(pthread_barrier_init(&meeting, nullptr, 3) == 0);
    int arrived = 0;
    int last = 0;
    {
        const auto member = [&] {
            for (int phase = 1; phase != 4; ++phase) {
                ++arrived;
                last += pthread_barrier_wait(&meeting) == PTHREAD_BARRIER_SERIAL_THREAD;
                HALVM_CHECK(arrived >= 3 * phase && last <= phase);
            }
        };
        const std::jthread a{member}, b{member}, c{member};
        std::this_thread::yield();
        HALVM_CHECK(arrived >= 3);
    }
    HALVM_CHECK(arrived == 9 && last == 3 && pthread_barrier_destroy(&meeting) == 0);
}

void spin() {
    pthread_spinlock_t lock;
    HALVM_CHECK(pthread_spin_init(&lock, PTHREAD_PROCESS_PRIVATE) == 0 && pthread_spin_lock(&lock) == 0);
    HALVM_CHECK(pthread_spin_trylock(&lock) == EBUSY);
    int passed = 0;
    {
        const auto locker = [&] {
            pthread_spin_lock(&lock);
            std::this_thread::yield();
            ++passed;
            pthread_spin_unlock(&lock);
        };
        const std::jthread a{locker}, b{locker}, c{locker};
        std::this_thread::yield();
        HALVM_CHECK(passed == 0);
        pthread_spin_unlock(&lock);
    }
    HALVM_CHECK(passed == 3 && pthread_spin_trylock(&lock) == 0);
}

}  // namespace

int halvm_main() {
    mutex();
    condition();
    rwlock();
    semaphore();
    barrier();
    spin();
    return report::verdict("posix_locks");
}
