// SPDX-License-Identifier: BSD-3-Clause
// Ends as the command line says. What the program prints looks like what the runner reads the status from, and must
// not be taken for it.
#include <halvm/program.hpp>

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace {

struct says_so {
    ~says_so() { std::printf("static destructor\n"); }
} object;

}  // namespace

int halvm_main() {
    std::printf("halvm[token]: status 99\nhalvm: exit status 99\n");
    std::atexit([] { std::printf("atexit\n"); });
    std::at_quick_exit([] { std::printf("at_quick_exit\n"); });
    const std::string_view how = halvm::arguments()[0];
    const int status = std::atoi(halvm::arguments()[1]);
    if (how == "exit")
        std::exit(status);
    if (how == "quick_exit")
        std::quick_exit(status);
    if (how == "_Exit")
        std::_Exit(status);
    return status;
}
