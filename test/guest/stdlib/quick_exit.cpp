// SPDX-License-Identifier: BSD-3-Clause
// feature: `quick_exit`, `at_quick_exit`, `_Exit`
#include "report.hpp"

#include <cstdlib>

namespace {

struct never_destroyed {
    ~never_destroyed() { std::printf("a destructor ran\n"), std::_Exit(9); }
} const object;

int steps = 0;

}  // namespace

int halvm_main() {
    std::atexit([] { std::_Exit(8); });
    std::at_quick_exit([] {
        HALVM_CHECK(steps == 1);
        const int status = report::verdict("quick_exit");
        std::_Exit(status);
    });
    std::at_quick_exit([] { ++steps; });
    std::quick_exit(7);
}
