// SPDX-License-Identifier: BSD-3-Clause
// How many fibers a process can have, and what one that waits costs. Prints: metric, value, unit.
#include <halvm/fiber.hpp>

#include <malloc.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <vector>

using namespace std::chrono_literals;

namespace {

namespace fiber = halvm::fiber;

std::size_t resident() {
    std::FILE* const file = std::fopen("/proc/self/statm", "r");
    std::size_t all = 0, pages = 0;
    if (file == nullptr || std::fscanf(file, "%zu %zu", &all, &pages) != 2)
        std::abort();
    std::fclose(file);
    return pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

void sleepers(std::size_t count, std::size_t stack) {
    const std::size_t before = resident();
    const auto began = std::chrono::steady_clock::now();
    std::size_t awake = 0, early = 0;
    for (std::size_t i = 0; i != count; ++i)
        fiber::spawn(
            [&awake, &early, wait = 1s + i % 1000 * 1ms] {
                const auto from = std::chrono::steady_clock::now();
                fiber::sleep(fiber::within(wait));
                early += std::chrono::steady_clock::now() - from < wait;
                ++awake;
            },
            {.name = "sleeper", .stack = stack, .guarded = false})
            .detach();
    fiber::yield();
    const std::size_t asleep = count - awake;
    const std::size_t memory = resident() - before;
    while (awake != count)
        fiber::sleep(fiber::within(10ms));
    const auto took = std::chrono::steady_clock::now() - began;
    if (early != 0)
        std::abort();
    std::printf("fibers asleep at once, packed stacks of %zu bytes\t%zu\tfibers\n", stack, asleep);
    std::printf("resident memory of one of them, stack included\t%zu\tbytes\n", memory / count);
    std::printf("from the first spawn to the last end\t%.2f\ts\n", std::chrono::duration<double>(took).count());
}

/// What the scheduler and the heap keep of a fiber that waits. The stack's pages are its own, and no part of it.
void guarded(std::size_t count) {
    fiber::event go;
    std::vector<fiber::handle<void>> some;
    some.reserve(count);
    const auto heap_before = mallinfo2().uordblks;
    const std::size_t before = resident();
    for (std::size_t i = 0; i != count; ++i)
        some.push_back(fiber::spawn([&go] { go.wait(); }));
    fiber::yield();
    const std::size_t heap = mallinfo2().uordblks - heap_before;
    const std::size_t memory = resident() - before;
    std::size_t record = 0;
    fiber::this_scheduler().for_each([&](const fiber::task& one) {
        if (one.stack.size != 0)
            record =
                static_cast<std::size_t>(one.stack.base + one.stack.size - reinterpret_cast<const std::byte*>(&one));
    });
    std::printf("fibers waiting at once, guarded stacks of 65536 bytes\t%zu\tfibers\n", some.size());
    std::printf("kept of a fiber that waits, besides its touched stack\t%zu\tbytes\n", record + heap / count);
    std::printf("resident memory of one of them, stack included\t%zu\tbytes\n", memory / count);
    go.set();
    for (auto& one : some)
        one.join();
}

}  // namespace

int halvm_main() {
    guarded(32'000);
    sleepers(1'000'000, 2048);
    return 0;
}
