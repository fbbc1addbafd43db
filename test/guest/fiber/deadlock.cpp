// SPDX-License-Identifier: BSD-3-Clause
// Waits that nobody can end: the scheduler says so, with what each fiber waits for. Run with the name of one.
#include <halvm/program.hpp>

#include <semaphore.h>

#include <mutex>
#include <string_view>
#include <thread>

namespace {

struct calls_itself {
    calls_itself();
};

void use() { static const calls_itself one; }

calls_itself::calls_itself() { use(); }

}  // namespace

int halvm_main() {
    const std::string_view what = halvm::arguments()[0];
    std::mutex mutex;
    if (what == "mutex") {
        mutex.lock();
        std::thread{[&] { mutex.lock(); }}.join();
    }
    if (what == "join") {
        sem_t semaphore;
        sem_init(&semaphore, 0, 0);
        std::thread{[&] { sem_wait(&semaphore); }}.join();
    }
    if (what == "static") {
        // Before the first thread is started, libstdc++ throws.
        std::thread{[] {}}.join();
        use();
    }
    return 0;
}
