// SPDX-License-Identifier: BSD-3-Clause
#include <iostream>

int halvm_main() {
    std::cout << "Hello world " << 1.5 << "!" << std::endl;
    return 0;
}
