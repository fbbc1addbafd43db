// SPDX-License-Identifier: BSD-3-Clause
// For gdb_test.py: fibers that wait in functions with names, while main runs.
#include <halvm/fiber.hpp>
#include <halvm/main.hpp>

#include <csignal>

namespace fiber = halvm::fiber;

namespace {

fiber::event never_set;
fiber::mutex held;
volatile int awakened = 0;

[[gnu::noinline]] void waits_for_an_event(int depth) {
    if (depth > 0)
        waits_for_an_event(depth - 1);
    else
        never_set.wait();
    awakened = awakened + 1;  // after the call, which cannot become a jump
}

[[gnu::noinline]] void waits_for_a_mutex() {
    held.lock();
    held.unlock();
}

[[gnu::noinline]] void stops() { std::raise(SIGABRT); }

}  // namespace

int halvm_main() {
    held.lock();
    auto first = fiber::spawn([] { waits_for_an_event(3); }, {.name = "patient"});
    auto second = fiber::spawn([] { waits_for_a_mutex(); }, {.name = "locker"});
    fiber::yield();
    auto third = fiber::spawn([] {}, {.name = "fresh"});
    stops();
    return 0;
}
