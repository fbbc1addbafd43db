// SPDX-License-Identifier: BSD-3-Clause
// What README.md shows of fibers, as a program.
#include "report.hpp"

#include <halvm/fiber.hpp>
#include <halvm/time.hpp>

#include <chrono>
#include <stop_token>
#include <thread>

using namespace std::chrono_literals;

struct job {
    int number;
};
struct packet {
    int length;
};

halvm::fiber::coroutine<int> total(halvm::channel<packet>& from) {
    int sum = 0;
    while (auto one = co_await halvm::fiber::co::receive(from))
        sum += one->length;
    co_return sum;
}

int halvm_main() {
    auto worker = halvm::fiber::spawn([&] { return 42; });
    halvm::sleep_for(10ms);
    halvm::mvar<job> box;
    halvm::channel<packet> queue{64};
    std::jthread t([](std::stop_token stop) { halvm::fiber::sleep(stop); });
    HALVM_CHECK(worker.join() == 42);

    auto giver = halvm::fiber::spawn([&] { return box.put({7}).has_value(); });
    const auto given = box.take(halvm::fiber::within(1h));
    HALVM_CHECK(given && given->number == 7);
    HALVM_CHECK(giver.join());
    HALVM_CHECK(!box.take(halvm::fiber::within(1ms)));

    auto sender = halvm::fiber::spawn([&] {
        for (int length = 1; length <= 100; ++length)
            HALVM_CHECK(queue.send({length}).has_value());
        queue.close();
    });
    const int sum = halvm::fiber::run(total(queue));
    HALVM_CHECK(sum == 5050);
    sender.join();
    return report::verdict("tour");
}
