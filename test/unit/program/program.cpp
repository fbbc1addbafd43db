// SPDX-License-Identifier: BSD-3-Clause
// A Linux process built as a user builds one, which says how it sees its command line.
#include <halvm/main.hpp>
#include <halvm/program.hpp>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

// Asked for before halvm_main() runs, as a constructor may.
const std::string at_construction{halvm::command_line()};

}  // namespace

int halvm_main() {
    std::printf("line=%s\n", at_construction.c_str());
    for (const char* word : halvm::arguments())
        std::printf("word=%s\n", word);
    for (const char* name : {"HALVM_A", "HALVM_B", "1HALVM"})
        if (const char* value = std::getenv(name))
            std::printf("%s=%s\n", name, value);
    return 7;
}
