// SPDX-License-Identifier: BSD-3-Clause
// Coroutines that await what fibers wait for: thousands on one fiber, beside fibers, by the real clock.
#include "report.hpp"

#include <halvm/fiber.hpp>

#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;
namespace fiber = halvm::fiber;
namespace co = halvm::fiber::co;

namespace {

fiber::coroutine<int> doubled(halvm::channel<int>& from) {
    const auto value = co_await co::receive(from);
    co_return *value * 2;
}

fiber::coroutine<std::string> all_in_turn(halvm::channel<int>& queue, halvm::mvar<int>& box, fiber::mutex& lock) {
    std::string text = std::to_string(co_await doubled(queue));
    const auto taken = co_await co::take(box, fiber::within(1h));
    text += ", " + std::to_string(*taken);
    const auto late = co_await co::take(box, fiber::within(5ms));
    text += late ? ", more" : ", no more";
    {
        auto held = co_await co::lock(lock);
        HALVM_CHECK(held && !lock.try_lock());
        co_await co::sleep(fiber::within(5ms));
    }
    HALVM_CHECK(lock.try_lock());
    lock.unlock();
    co_return text;
}

fiber::coroutine<> waits(fiber::event& go, fiber::semaphore& free, int& done) {
    co_await co::wait(go);
    co_await co::acquire(free);
    ++done;
    free.release();
}

fiber::coroutine<> fails() {
    co_await co::sleep(fiber::within(1ms));
    throw std::runtime_error{"out of a coroutine"};
}

void many() {
    constexpr int count = 5'000;
    fiber::crew all;
    fiber::event go;
    fiber::semaphore free{1};
    int done = 0;
    for (int i = 0; i != count; ++i)
        all.start(waits(go, free, done));
    auto setter = fiber::spawn([&] {
        fiber::sleep(fiber::within(1ms));
        HALVM_CHECK(done == 0);
        go.set();
    });
    all.run();
    setter.join();
    HALVM_CHECK(done == count);
    std::printf("%d coroutines waited on one fiber\n", count);
}

}  // namespace

int halvm_main() {
    halvm::channel<int> queue{1};
    halvm::mvar<int> box;
    fiber::mutex lock;
    lock.lock();
    auto text = fiber::spawn([&] { return fiber::run(all_in_turn(queue, box, lock)); });
    HALVM_CHECK(queue.send(21).has_value());
    HALVM_CHECK(box.put(7).has_value());
    fiber::sleep(fiber::within(10ms));
    lock.unlock();
    HALVM_CHECK(text.join() == "42, 7, no more");
    HALVM_CHECK(report::throws<std::runtime_error>([] { fiber::run(fails()); }));
    many();
    return report::verdict("coroutines");
}
