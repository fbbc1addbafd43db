// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/console.hpp>

#include <stdexcept>

int halvm_main() {
    auto console = halvm::open_console().value();
    try {
        throw std::runtime_error{"Hello world!\n"};
    } catch (const std::exception& caught) {
        console.print(caught.what());
    }
    return 0;
}
