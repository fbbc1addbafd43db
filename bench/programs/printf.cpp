// SPDX-License-Identifier: BSD-3-Clause
#include <cstdio>

int halvm_main() {
    std::printf("Hello world %g!\n", 1.5);
    return 0;
}
