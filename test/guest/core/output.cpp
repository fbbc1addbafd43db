// SPDX-License-Identifier: BSD-3-Clause
// Writes far more than the console's ring holds, by every way there is; each line says which it is, and the runner
// must have seen the last one whole.
#include "report.hpp"

#include <halvm/console.hpp>

#include <cstdio>
#include <string>

int halvm_main() {
    auto console = halvm::open_console().value();
    HALVM_CHECK(console.print("through the console\n").has_value());
    std::printf("%s\n", std::string(10'000, 'x').c_str());
    std::string lines;
    for (int i = 0; i < 400; ++i)
        lines += "line " + std::to_string(i) + '\n';
    HALVM_CHECK(console.print(lines).has_value());
    std::fprintf(stderr, "through stderr\n");
    return report::verdict("output");
}
