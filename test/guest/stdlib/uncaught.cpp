// SPDX-License-Identifier: BSD-3-Clause
// feature: an exception that nobody catches
// status: panics
// detail: naming its type and `what()`, with a backtrace from the `throw`
#include <stdexcept>

namespace {

[[gnu::noinline]] void fail() { throw std::domain_error{"no way out"}; }

}  // namespace

int halvm_main() {
    fail();
    return 0;
}
