// SPDX-License-Identifier: BSD-3-Clause
// HaLVM's MVarTest: fibers that hand values to each other through mvars.
#include "report.hpp"

#include <halvm/fiber.hpp>

#include <chrono>
#include <cstdio>
#include <string>
#include <system_error>

using namespace std::chrono_literals;
using halvm::mvar;

namespace {

void ping_pong() {
    mvar<std::string> ping, pong;
    auto other = halvm::fiber::spawn([&] {
        for (int i = 0; i != 3; ++i)
            HALVM_CHECK(pong.put(ping.take().value() + ", answered").has_value());
    });
    for (int i = 0; i != 3; ++i) {
        HALVM_CHECK(ping.put("message " + std::to_string(i)).has_value());
        const auto answer = pong.take().value();
        std::printf("%s\n", answer.c_str());
        HALVM_CHECK(answer == "message " + std::to_string(i) + ", answered");
    }
    other.join();
}

/// Each takes the number from its neighbour and hands it on, one larger.
void ring() {
    constexpr int size = 50;
    mvar<int> boxes[size];
    std::vector<halvm::fiber::handle<void>> some;
    for (int i = 1; i != size; ++i)
        some.push_back(halvm::fiber::spawn([&, i] {
            for (int round = 0; round != 10; ++round)
                HALVM_CHECK(boxes[i].put(boxes[i - 1].take().value() + 1).has_value());
        }));
    for (int round = 0; round != 10; ++round) {
        HALVM_CHECK(boxes[0].put(round).has_value());
        HALVM_CHECK(boxes[size - 1].take().value() == round + size - 1);
    }
}

void deadline() {
    mvar<int> empty;
    const auto failed = empty.take(halvm::fiber::within(5ms));
    HALVM_CHECK(!failed && failed.error().code() == std::errc::timed_out);
}

}  // namespace

int halvm_main() {
    ping_pong();
    ring();
    deadline();
    return report::verdict("mvars");
}
