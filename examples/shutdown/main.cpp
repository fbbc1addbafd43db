// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/console.hpp>
#include <halvm/fiber.hpp>
#include <halvm/shutdown.hpp>

int halvm_main() {
    auto console = halvm::open_console().value();
    const auto asked = halvm::shutdown_token();
    do
        console.print("Working.\n");
    while (halvm::fiber::sleep(halvm::fiber::within(std::chrono::seconds{1}, asked)));
    console.print("Asked to end. Goodbye!\n");
    return 0;
}
