// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/contract.hpp>
#include <halvm/panic.hpp>

#include <cstdio>
#include <cstdlib>

namespace halvm {

void contract_failed(const char* kind, const char* expression, const char* file, int line) noexcept {
    std::fflush(stdout);
    std::fprintf(stderr, "halvm: panic: %s failed: %s, at %s:%d\n", kind, expression, file, line);
    std::abort();
}

void panic(const char* message) noexcept {
    std::fflush(stdout);
    std::fprintf(stderr, "halvm: panic: %s\n", message);
    std::abort();
}

}  // namespace halvm
