// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/console.hpp>

int halvm_main() {
    auto console = halvm::open_console().value();
    console.print("Hello world!\n");
    return 0;
}
