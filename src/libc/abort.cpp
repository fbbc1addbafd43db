// SPDX-License-Identifier: BSD-3-Clause
// The ends that are not meant: each is a panic with its own words.
#include "core/panic.hpp"
#include "libc/exit_hooks.hpp"

namespace halvm::libc {

[[gnu::weak]] void call_abort_handler() {}

}  // namespace halvm::libc

extern "C" {

[[noreturn]] void abort() noexcept {
    halvm::libc::call_abort_handler();
    halvm::core::panic("abort() was called");
}

[[noreturn]] void __assert_fail(const char* expression, const char* file, unsigned line,
                                const char* function) noexcept {
    halvm::core::panic("%s:%u: %s: assertion failed: %s", file, line, function, expression);
}

[[noreturn]] void __stack_chk_fail() noexcept {
    halvm::core::panic("a function wrote past its stack frame: the canary is smashed");
}
}
