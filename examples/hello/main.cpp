// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/console.hpp>
#include <halvm/time.hpp>

int halvm_main() {
    auto console = halvm::open_console().value();
    for (;;) {
        console.print("Hello world!\n");
        halvm::sleep_for(std::chrono::seconds{1});
    }
}
