// SPDX-License-Identifier: BSD-3-Clause
// From the end of boot into the program: constructors, main, exit.
#include "libc/startup.hpp"

#include <cstdlib>

using constructor = void (*)();

extern "C" {
extern const constructor __preinit_array_start[];
extern const constructor __preinit_array_end[];
extern const constructor __init_array_start[];
extern const constructor __init_array_end[];
}

namespace __cxxabiv1 {
extern void (*__terminate_handler)();  // terminate.cpp
}  // namespace __cxxabiv1

namespace halvm::libc {
namespace {

// libstdc++ has a definition of its own beside the code that asks for it. Asking here, in an object that every image
// links first, makes ours the one; nothing refers to this pointer, so that the linker drops it again.
[[gnu::used]] void* const replaces_libstdcxx[] = {&__cxxabiv1::__terminate_handler};

void call_each(const constructor* first, const constructor* last) {
    for (; first != last; ++first)
        (*first)();
}

}  // namespace

void run(int (*main)()) {
    call_each(__preinit_array_start, __preinit_array_end);
    call_each(__init_array_start, __init_array_end);
    std::exit(main());
}

}  // namespace halvm::libc
