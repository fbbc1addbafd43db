// SPDX-License-Identifier: BSD-3-Clause
// Reads from the console: blocking, not blocking, and by stdio after that.
#include "report.hpp"

#include <halvm/console.hpp>

#include <array>
#include <cstdio>
#include <cstring>
#include <string>

int halvm_main() {
    auto console = halvm::open_console().value();
    std::array<std::byte, 64> buffer;
    HALVM_CHECK(console.try_read(buffer).value() == 0);
    HALVM_CHECK(console.read(halvm::bytes{}).value() == 0);
    HALVM_CHECK(console.print("type\n").has_value());

    // The line may come in pieces; a byte at a time is a piece too.
    std::string line;
    while (line.empty() || (line.back() != '\n' && line.back() != '\r')) {
        const auto count = console.read(halvm::bytes{buffer}.first(1)).value();
        HALVM_CHECK(count == 1);
        line += halvm::as_text({buffer.data(), count});
    }
    HALVM_CHECK(line.starts_with("first line"));

    char words[64];
    HALVM_CHECK(std::fgets(words, sizeof words, stdin) != nullptr);
    HALVM_CHECK(std::strncmp(words, "second line", 11) == 0);
    return report::verdict("input");
}
