// SPDX-License-Identifier: BSD-3-Clause
// The environment: the NAME=value words of the command line. Only a program that asks for it links this file, and then
// it is there before its first constructor runs.
#include "core/heap.hpp"
#include "libc/environment.hpp"

#include <halvm/program.hpp>

namespace {

char* nothing[] = {nullptr};

}  // namespace

extern "C" {

char** __environ = nothing;
extern char** ___environ [[gnu::alias("__environ")]];
extern char** _environ [[gnu::alias("__environ")]];
extern char** environ [[gnu::alias("__environ")]];
}

namespace {

void fill_environment() noexcept {
    const auto words = halvm::arguments();
    auto** const list = static_cast<char**>(halvm::core::heap_allocate((words.size() + 1) * sizeof(char*)));
    if (list == nullptr)
        return;
    char** next = list;
    for (const char* const word : words) {
        if (halvm::libc::is_assignment(word))
            *next++ = const_cast<char*>(word);
    }
    *next = nullptr;
    __environ = list;
}

[[gnu::used, gnu::section(".preinit_array")]] void (*const before_constructors)() noexcept = fill_environment;

}  // namespace
