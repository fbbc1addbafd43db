// SPDX-License-Identifier: BSD-3-Clause
// 10,000 fibers with small packed stacks in 256 MiB: all wait at once, and all go on. Then as many POSIX threads.
#include "report.hpp"

#include <halvm/fiber.hpp>

#include <pthread.h>
#include <sys/sysinfo.h>

#include <chrono>
#include <cstdio>
#include <mutex>
#include <vector>

namespace {

constexpr std::size_t count = 10'000;

void fibers() {
    halvm::fiber::event go;
    std::size_t ready = 0;
    std::size_t sum = 0;
    const long free_before = get_avphys_pages();
    std::vector<halvm::fiber::handle<void>> some;
    some.reserve(count);
    for (std::size_t i = 0; i != count; ++i)
        some.push_back(halvm::fiber::spawn(
            [&, i] {
                ++ready;
                go.wait();
                sum += i;
            },
            {.name = "one of many", .stack = 4096, .guarded = false}));
    halvm::fiber::yield();
    HALVM_CHECK(ready == count && sum == 0);
    std::printf("%zu fibers wait in %ld MiB\n", count, (free_before - get_avphys_pages()) >> 8);
    go.set();
    for (auto& one : some)
        one.join();
    HALVM_CHECK(sum == count * (count - 1) / 2);
}

std::mutex gate;
std::size_t passed = 0;

void* pass(void*) {
    const std::lock_guard lock{gate};
    ++passed;
    return nullptr;
}

void threads() {
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 4096);
    pthread_attr_setguardsize(&small, 0);
    std::vector<pthread_t> some(count);
    gate.lock();
    for (auto& one : some)
        HALVM_CHECK(pthread_create(&one, &small, pass, nullptr) == 0);
    sched_yield();
    HALVM_CHECK(passed == 0);
    gate.unlock();
    for (const auto one : some)
        pthread_join(one, nullptr);
    HALVM_CHECK(passed == count);
}

}  // namespace

int halvm_main() {
    fibers();
    threads();
    return report::verdict("many");
}
