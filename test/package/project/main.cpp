// SPDX-License-Identifier: BSD-3-Clause
// A program outside the tree that uses a piece of everything: the console, the clock, exceptions, iostreams.
#include <halvm/console.hpp>
#include <halvm/time.hpp>

#include <iostream>
#include <stdexcept>

int halvm_main() {
    auto console = halvm::open_console().value();
    console.print("from outside the tree\n");
    halvm::sleep_for(std::chrono::milliseconds{1});
    try {
        throw std::runtime_error{"caught"};
    } catch (const std::exception& thrown) {
        std::cout << thrown.what() << std::endl;
    }
    return 3;
}
