// SPDX-License-Identifier: BSD-3-Clause
// feature: `getenv`, `setenv`: the NAME=value words of the command line
#include "report.hpp"

#include <cstdlib>
#include <string_view>
#include <vector>

#include <halvm/program.hpp>

namespace {

std::string_view variable(const char* name) {
    const char* const value = std::getenv(name);
    return value == nullptr ? "(none)" : value;
}

const bool seen_by_constructors = variable("NAME") == "a value";

}  // namespace

// Run with: plain NAME='a value' EMPTY= '' QUOTE="say \"x\"" 1=2 back\ slash
int halvm_main() {
    const std::vector<std::string_view> words(halvm::arguments().begin(), halvm::arguments().end());
    const std::vector<std::string_view> expected{"plain",           "NAME=a value", "EMPTY=",    "",
                                                 "QUOTE=say \"x\"", "1=2",          "back slash"};
    HALVM_CHECK(words == expected);
    for (const std::string_view word : words)
        std::printf("[%s]\n", word.data());
    HALVM_CHECK(seen_by_constructors);
    HALVM_CHECK(variable("NAME") == "a value" && variable("EMPTY").empty() && variable("QUOTE") == "say \"x\"");
    HALVM_CHECK(variable("plain") == "(none)" && variable("1") == "(none)" && variable("HOME") == "(none)");
    HALVM_CHECK(setenv("NEW", "set", 1) == 0 && variable("NEW") == "set" && unsetenv("NAME") == 0);
    HALVM_CHECK(variable("NAME") == "(none)" && std::string_view{secure_getenv("NEW")} == "set");
    return report::verdict("environment");
}
