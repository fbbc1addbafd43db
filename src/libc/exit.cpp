// SPDX-License-Identifier: BSD-3-Clause
// exit() and _Exit(). What exit() has to run is known by what the program links: the weak functions are replaced by the
// object that registers something, musl's or ours, and are empty in a program that registers nothing.
#include "core/program.hpp"
#include "libc/exit_hooks.hpp"

using destructor = void (*)();

extern "C" {
extern const destructor __fini_array_start[];
extern const destructor __fini_array_end[];

[[gnu::weak]] void __funcs_on_exit() {}  // atexit(), destructors of static objects
[[gnu::weak]] void __stdio_exit() {}     // the last flush
}

namespace halvm::libc {

[[gnu::weak]] void run_thread_destructors() {}
[[gnu::weak]] void run_key_destructors() {}
[[gnu::weak]] void orphan_mutexes() noexcept {}

}  // namespace halvm::libc

extern "C" {

[[noreturn]] void _Exit(int status) noexcept { halvm::core::power_off(status); }

[[noreturn]] void exit(int status) noexcept {
    halvm::libc::run_thread_destructors();
    __funcs_on_exit();
    for (const destructor* next = __fini_array_end; next != __fini_array_start;)
        (*--next)();
    __stdio_exit();
    _Exit(status);
}
}
