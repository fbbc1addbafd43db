// SPDX-License-Identifier: BSD-3-Clause
// pthread keys: each fiber has its own values, and their destructors run at its end.
#include "report.hpp"

#include <halvm/fiber.hpp>

#include <pthread.h>

#include <cerrno>
#include <string>
#include <thread>

namespace {

std::string order;
pthread_key_t key;

void destroy(void* value) {
    order += *static_cast<const char*>(value);
    // A value stored by a destructor is destroyed in the next round.
    static const char again[] = "x";
    if (value != again)
        pthread_setspecific(key, again);
}

void store_and_wait() {
    static const char text[] = "k";
    HALVM_CHECK(pthread_getspecific(key) == nullptr);
    pthread_setspecific(key, text);
    std::this_thread::yield();
    HALVM_CHECK(pthread_getspecific(key) == text);
}

}  // namespace

int halvm_main() {
    HALVM_CHECK(pthread_key_create(&key, destroy) == 0);
    int mine = 0;
    pthread_setspecific(key, &mine);
    std::thread{store_and_wait}.join();
    HALVM_CHECK(order == "kx");
    halvm::fiber::spawn(store_and_wait).join();
    HALVM_CHECK(order == "kxkx" && pthread_getspecific(key) == &mine);

    HALVM_CHECK(pthread_key_delete(key) == 0 && pthread_key_delete(key) == EINVAL);
    HALVM_CHECK(pthread_setspecific(key, &mine) == EINVAL && pthread_getspecific(key) == nullptr);
    pthread_key_t next;
    HALVM_CHECK(pthread_key_create(&next, nullptr) == 0 && pthread_getspecific(next) == nullptr);
    return report::verdict("keys");
}
