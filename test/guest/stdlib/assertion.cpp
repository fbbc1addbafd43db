// SPDX-License-Identifier: BSD-3-Clause
// feature: a failed `assert`
// status: panics
// detail: with the expression, file and line
#undef NDEBUG
#include <cassert>

int halvm_main() {
    const volatile int two = 2;
    assert(two + two == 5);
    return 0;
}
