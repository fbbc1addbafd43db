// SPDX-License-Identifier: BSD-3-Clause
// Programs for the address sanitizer, each with one mistake in a fiber, and one without.
#include "recursion.hpp"
#include "report.hpp"

#include <halvm/fiber.hpp>
#include <halvm/program.hpp>

#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using halvm::test::recurse;

[[gnu::noinline]] void write_behind(int index) {
    char text[16];
    volatile char* const place = text;
    std::this_thread::yield();
    place[index] = 'x';
}

void correct() {
    std::vector<std::thread> some;
    for (int i = 0; i != 20; ++i)
        some.emplace_back([i] {
            try {
                std::this_thread::yield();
                if (recurse(20) >= 0 && i % 2 == 0)
                    throw std::runtime_error{std::string(100, 'x')};
            } catch (const std::exception& error) {
                std::this_thread::yield();
                HALVM_CHECK(std::string_view{error.what()}.size() == 100);
            }
        });
    for (auto& one : some)
        one.join();
    // What only a fiber that waits for ever can reach is no leak.
    halvm::fiber::spawn([] {
        const std::vector<int> kept(1000);
        halvm::fiber::event never;
        never.wait();
    }).detach();
    halvm::fiber::yield();
}

}  // namespace

int halvm_main() {
    const std::string_view what = halvm::arguments()[0];
    if (what == "stack_overflow")
        std::thread{[] { recurse(1'000'000); }}.join();
    if (what == "stack_buffer")
        std::thread{[] { write_behind(16 * static_cast<int>(halvm::arguments().size())); }}.join();
    if (what == "correct")
        correct();
    return report::verdict("mistakes");
}
