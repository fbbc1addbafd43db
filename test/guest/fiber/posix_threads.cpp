// SPDX-License-Identifier: BSD-3-Clause
// POSIX threads by their own names: results, attributes, names, and what is answered to a mistake.
#include "report.hpp"

#include <pthread.h>
#include <sched.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <ctime>

namespace {

void* twice(void* argument) { return reinterpret_cast<void*>(2 * reinterpret_cast<std::uintptr_t>(argument)); }

void* sleep_a_little(void*) {
    const timespec time{0, 200'000'000};
    nanosleep(&time, nullptr);
    return nullptr;
}

void* join_other(void* other) {
    return reinterpret_cast<void*>(static_cast<std::intptr_t>(pthread_join(*static_cast<pthread_t*>(other), nullptr)));
}

timespec in_ms(long milliseconds) {
    timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    now.tv_nsec += milliseconds * 1'000'000;
    now.tv_sec += now.tv_nsec / 1'000'000'000;
    now.tv_nsec %= 1'000'000'000;
    return now;
}

void results() {
    pthread_t one;
    HALVM_CHECK(pthread_create(&one, nullptr, twice, reinterpret_cast<void*>(21)) == 0);
    HALVM_CHECK(pthread_equal(one, one) && !pthread_equal(one, pthread_self()));
    void* result = nullptr;
    HALVM_CHECK(pthread_join(one, &result) == 0 && reinterpret_cast<std::uintptr_t>(result) == 42);
}

void mistakes() {
    HALVM_CHECK(pthread_join(pthread_self(), nullptr) == EDEADLK);
    HALVM_CHECK(pthread_detach(pthread_self()) == EINVAL);
    pthread_t one;
    pthread_create(&one, nullptr, sleep_a_little, nullptr);
    HALVM_CHECK(pthread_tryjoin_np(one, nullptr) == EBUSY);
    const timespec soon = in_ms(2);
    HALVM_CHECK(pthread_timedjoin_np(one, nullptr, &soon) == ETIMEDOUT);
    pthread_t joiner;
    pthread_create(&joiner, nullptr, join_other, &one);
    sched_yield();
    HALVM_CHECK(pthread_join(one, nullptr) == EINVAL && pthread_detach(one) == EINVAL);
    HALVM_CHECK(pthread_join(joiner, nullptr) == 0);

    // Two that join each other: the second is told.
    static pthread_t pair[2];
    pthread_create(&pair[0], nullptr, join_other, &pair[1]);
    pthread_create(&pair[1], nullptr, join_other, &pair[0]);
    void* result = nullptr;
    HALVM_CHECK(pthread_join(pair[0], &result) == 0 && result == nullptr);
}

void attributes() {
    pthread_attr_t wanted;
    HALVM_CHECK(pthread_attr_init(&wanted) == 0);
    std::size_t size = 0;
    HALVM_CHECK(pthread_attr_getstacksize(&wanted, &size) == 0 && size == 64 << 10);
    HALVM_CHECK(pthread_attr_setstacksize(&wanted, 100) == EINVAL);
    HALVM_CHECK(pthread_attr_setdetachstate(&wanted, 7) == EINVAL);
    HALVM_CHECK(pthread_attr_setstacksize(&wanted, 1 << 20) == 0);
    pthread_t one;
    HALVM_CHECK(pthread_create(
                    &one, &wanted,
                    [](void*) -> void* {
                        char much[900'000];
                        std::memset(much, 1, sizeof much);
                        return reinterpret_cast<void*>(static_cast<std::uintptr_t>(much[899'999]));
                    },
                    nullptr) == 0);
    void* result = nullptr;
    HALVM_CHECK(pthread_join(one, &result) == 0 && reinterpret_cast<std::uintptr_t>(result) == 1);

    // The smallest packed stack is still enough for what every fiber needs.
    HALVM_CHECK(pthread_attr_setstacksize(&wanted, 2048) == 0 && pthread_attr_setguardsize(&wanted, 0) == 0);
    HALVM_CHECK(pthread_create(&one, &wanted, twice, nullptr) == 0 && pthread_join(one, nullptr) == 0);
    // More than there is.
    HALVM_CHECK(pthread_attr_setstacksize(&wanted, 1 << 30) == 0);
    HALVM_CHECK(pthread_create(&one, &wanted, twice, nullptr) == EAGAIN);

    HALVM_CHECK(pthread_attr_setstacksize(&wanted, 16384) == 0);
    HALVM_CHECK(pthread_attr_setdetachstate(&wanted, PTHREAD_CREATE_DETACHED) == 0);
    HALVM_CHECK(pthread_create(&one, &wanted, twice, nullptr) == 0);
    HALVM_CHECK(pthread_join(one, nullptr) == EINVAL && pthread_detach(one) == EINVAL);
    sched_yield();
    HALVM_CHECK(pthread_attr_destroy(&wanted) == 0);
}

void names() {
    char name[32];
    HALVM_CHECK(pthread_getname_np(pthread_self(), name, sizeof name) == 0 && std::strcmp(name, "main") == 0);
    pthread_t one;
    pthread_create(&one, nullptr, sleep_a_little, nullptr);
    HALVM_CHECK(pthread_getname_np(one, name, sizeof name) == 0 && std::strncmp(name, "thread ", 7) == 0);
    HALVM_CHECK(pthread_getname_np(one, name, 4) == ERANGE);
    HALVM_CHECK(pthread_setname_np(one, "a name that is too long") == ERANGE);
    HALVM_CHECK(pthread_setname_np(one, "worker") == 0);
    HALVM_CHECK(pthread_getname_np(one, name, sizeof name) == 0 && std::strcmp(name, "worker") == 0);
    pthread_join(one, nullptr);
}

}  // namespace

int halvm_main() {
    results();
    mistakes();
    attributes();
    names();
    return report::verdict("posix_threads");
}
