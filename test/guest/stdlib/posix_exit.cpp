// SPDX-License-Identifier: BSD-3-Clause
// feature: `pthread_exit`, `pthread_barrier_wait`, robust mutexes
// pthread_exit() from threads and from the main thread, barriers, and mutexes that outlive their owner.
#include "report.hpp"

#include <pthread.h>
#include <sched.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

namespace {

std::string order;

struct noisy {
    char letter;
    ~noisy() { order += letter; }
};

[[gnu::noinline]] void leave(void* result) {
    const noisy inner{'b'};
    try {
        const noisy innermost{'a'};
        throw 1;
    } catch (int) {
        // Out of the middle of a handler.
        pthread_exit(result);
    }
}

void* exits(void* argument) {
    static thread_local noisy last{'d'};
    last.letter = 'd';
    const noisy outer{'c'};
    leave(argument);
    order += '!';
    return nullptr;
}

void exit_of_a_thread() {
    pthread_t one;
    int target = 0;
    HALVM_CHECK(pthread_create(&one, nullptr, exits, &target) == 0);
    void* result = nullptr;
    HALVM_CHECK(pthread_join(one, &result) == 0 && result == &target);
    HALVM_CHECK(order == "abcd");

    order.clear();
    std::thread{[] {
        const noisy local{'x'};
        pthread_exit(nullptr);
    }}.join();
    HALVM_CHECK(order == "x");

    // An exception of another thread is none of its business.
    try {
        throw 7;
    } catch (int seven) {
        std::thread{[] { pthread_exit(nullptr); }}.join();
        HALVM_CHECK(seven == 7 && std::current_exception() != nullptr);
    }
}

void barrier() {
    pthread_barrier_t meeting;
    HALVM_CHECK(pthread_barrier_init(&meeting, nullptr, 0) == EINVAL);
    HALVM_CHECK(pthread_barrier_init(&meeting, nullptr, 3) == 0);
    constexpr int rounds = 10;
    int steps = 0;
    int serial = 0;
    {
        std::vector<std::jthread> some;
        for (int i = 0; i != 3; ++i)
            some.emplace_back([&] {
                for (int round = 1; round <= rounds; ++round) {
                    ++steps;
                    const int answer = pthread_barrier_wait(&meeting);
                    HALVM_CHECK(answer == 0 || answer == PTHREAD_BARRIER_SERIAL_THREAD);
                    serial += answer == PTHREAD_BARRIER_SERIAL_THREAD;
                    HALVM_CHECK(steps >= 3 * round && steps <= 3 * round + 2);
                }
            });
        std::this_thread::yield();
    }
    HALVM_CHECK(steps == 3 * rounds && serial == rounds);
    std::thread waiting{[&] { pthread_barrier_wait(&meeting); }};
    sched_yield();
    HALVM_CHECK(pthread_barrier_destroy(&meeting) == EBUSY);
    std::thread other{[&] { pthread_barrier_wait(&meeting); }};
    pthread_barrier_wait(&meeting);
    waiting.join();
    other.join();
    HALVM_CHECK(pthread_barrier_destroy(&meeting) == 0);
}

pthread_mutex_t make_robust(int type = PTHREAD_MUTEX_NORMAL) {
    pthread_mutexattr_t wanted;
    pthread_mutexattr_init(&wanted);
    pthread_mutexattr_settype(&wanted, type);
    HALVM_CHECK(pthread_mutexattr_setrobust(&wanted, 7) == EINVAL);
    HALVM_CHECK(pthread_mutexattr_setrobust(&wanted, PTHREAD_MUTEX_ROBUST) == 0);
    int robust = 0;
    HALVM_CHECK(pthread_mutexattr_getrobust(&wanted, &robust) == 0 && robust == PTHREAD_MUTEX_ROBUST);
    pthread_mutex_t made;
    HALVM_CHECK(pthread_mutex_init(&made, &wanted) == 0);
    return made;
}

void owner_that_ended() {
    pthread_mutex_t mutex = make_robust();
    std::thread{[&] { HALVM_CHECK(pthread_mutex_lock(&mutex) == 0); }}.join();
    HALVM_CHECK(pthread_mutex_trylock(&mutex) == EOWNERDEAD);
    HALVM_CHECK(pthread_mutex_consistent(&mutex) == 0 && pthread_mutex_consistent(&mutex) == EINVAL);
    HALVM_CHECK(pthread_mutex_unlock(&mutex) == 0 && pthread_mutex_unlock(&mutex) == EPERM);
    HALVM_CHECK(pthread_mutex_lock(&mutex) == 0 && pthread_mutex_unlock(&mutex) == 0);

    // One who waits already is told too; when it does not repair what the mutex protects, nobody gets it any more.
    int answers[2]{-1, -1};
    std::thread owner{[&] {
        pthread_mutex_lock(&mutex);
        sched_yield();
        sched_yield();
    }};
    sched_yield();
    std::thread first{[&] {
        answers[0] = pthread_mutex_lock(&mutex);
        sched_yield();
        HALVM_CHECK(pthread_mutex_unlock(&mutex) == 0);
    }};
    std::thread second{[&] { answers[1] = pthread_mutex_lock(&mutex); }};
    owner.join();
    first.join();
    second.join();
    HALVM_CHECK(answers[0] == EOWNERDEAD && answers[1] == ENOTRECOVERABLE);
    HALVM_CHECK(pthread_mutex_lock(&mutex) == ENOTRECOVERABLE && pthread_mutex_destroy(&mutex) == 0);

    pthread_mutex_t recursive = make_robust(PTHREAD_MUTEX_RECURSIVE);
    std::thread{[&] {
        pthread_mutex_lock(&recursive);
        HALVM_CHECK(pthread_mutex_lock(&recursive) == 0);
    }}.join();
    HALVM_CHECK(pthread_mutex_lock(&recursive) == EOWNERDEAD && pthread_mutex_consistent(&recursive) == 0);
    HALVM_CHECK(pthread_mutex_unlock(&recursive) == 0 && pthread_mutex_unlock(&recursive) == EPERM);
    pthread_mutex_t checked = make_robust(PTHREAD_MUTEX_ERRORCHECK);
    HALVM_CHECK(pthread_mutex_lock(&checked) == 0 && pthread_mutex_lock(&checked) == EDEADLK);
    HALVM_CHECK(pthread_mutex_unlock(&checked) == 0);
}

int last_verdict = 0;

void at_exit() {
    HALVM_CHECK(order == "mw");
    if (report::verdict("posix_exit") != 0)
        std::_Exit(1);
}

}  // namespace

int halvm_main() {
    exit_of_a_thread();
    barrier();
    owner_that_ended();

    // The main thread leaves; the program ends with its last thread.
    order.clear();
    std::atexit(at_exit);
    std::thread{[] {
        for (int i = 0; i != 10; ++i)
            std::this_thread::yield();
        order += 'w';
    }}.detach();
    const noisy local{'m'};
    pthread_exit(&last_verdict);
}
