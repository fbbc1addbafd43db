// SPDX-License-Identifier: BSD-3-Clause
// feature: a wait that no other thread can end: on a `std::mutex`, `std::condition_variable`, `std::atomic`, semaphore
// detail: as a wait; that every thread waits, and for what, is said once
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <shared_mutex>
#include <string_view>

#include <semaphore.h>

#include <halvm/program.hpp>

// Run with the name of what to wait for.
int halvm_main() {
    const std::string_view what = halvm::arguments()[0];
    std::mutex mutex;
    std::unique_lock lock{mutex};
    if (what == "mutex")
        mutex.lock();
    if (what == "condition")
        std::condition_variable{}.wait(lock);
    if (what == "shared_mutex") {
        std::shared_mutex shared;
        shared.lock_shared();
        shared.lock();
    }
    if (what == "semaphore") {
        sem_t semaphore;
        sem_init(&semaphore, 0, 0);
        sem_wait(&semaphore);
    }
    if (what == "atomic")
        std::atomic<int>{1}.wait(1);
    return 0;
}
