// SPDX-License-Identifier: BSD-3-Clause
// Writes while nobody takes it, and reads from who comes then: reconnect_test.py takes xenconsoled away and starts
// another when this domain says so in the XenStore.
#include <halvm/consoles.hpp>
#include <halvm/fiber.hpp>
#include <halvm/main.hpp>
#include <halvm/panic.hpp>
#include <halvm/xen/store.hpp>

#include <array>
#include <chrono>
#include <cstdio>
#include <string>

namespace {

using namespace halvm;
using namespace std::chrono_literals;

void must(const result<void>& done) {
    if (!done)
        panic(done.error().message().c_str());
}

/// Until the script has written the node; it does so once.
void await_word(const char* node) {
    auto watch = xen::store().watch_path(node).value();
    while (!xen::store().exists(node).value())
        watch.next().value();
}

/// Far more than the ring holds.
std::string many_lines() {
    std::string all;
    for (int i = 0; i < 1000; ++i) {
        std::array<char, 32> line;
        all.append(line.data(), static_cast<std::size_t>(std::snprintf(line.data(), line.size(), "line %04d\n", i)));
    }
    return all;
}

}  // namespace

int halvm_main() {
    auto console = open_console().value();
    if (console.window_size() != window_size{.columns = 132, .rows = 43})
        panic("the command line says how large the window is");
    if (const auto none = open_console("log");
        none || none.error().message() != "open a console: this machine has only its first: No such device")
        panic("there is no second console");
    for (int round = 0; round < 2; ++round) {
        must(console.print("ready " + std::to_string(round) + "\n"));
        await_word(("data/gone" + std::to_string(round)).c_str());
        bool written = false;
        auto writer = fiber::spawn([&] {
            must(console.print(many_lines()));
            written = true;
        });
        // Others run while the ring is full and nobody is there.
        fiber::sleep(fiber::within(10ms));
        if (written)
            panic("a ring holds more than it can");
        must(xen::store().write("data/full" + std::to_string(round), "1"));
        writer.join();
        std::string typed;
        std::array<std::byte, 1> one;
        while (typed.empty() || typed.back() != '!') {
            console.read(one).value();
            typed += as_text(bytes{one});
        }
        must(console.print("typed " + typed + "\n"));
    }
    return 0;
}
