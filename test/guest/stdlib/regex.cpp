// SPDX-License-Identifier: BSD-3-Clause
// feature: `<regex>`
#include "report.hpp"

#include <regex>
#include <string>

int halvm_main() {
    std::smatch match;
    const std::string line = "vif0.1: rx 1500, tx 42";
    HALVM_CHECK(std::regex_search(line, match, std::regex{R"((\w+)(\d+)\.(\d+): rx (\d+))"}));
    HALVM_CHECK(match.size() == 5 && match[1] == "vif" && match[4] == "1500");
    HALVM_CHECK(std::regex_match("[:alpha:]", std::regex{R"(\[:alpha:\])"}));
    HALVM_CHECK(std::regex_match("Xen", std::regex{"[[:upper:]][[:lower:]]+"}));
    HALVM_CHECK(std::regex_match("XEN", std::regex{"xen", std::regex::icase}));
    HALVM_CHECK(std::regex_replace(std::string{"a-b-c"}, std::regex{"-"}, "+") == "a+b+c");
    HALVM_CHECK(report::throws<std::regex_error>([] { std::regex broken{"(unclosed"}; }));
    return report::verdict("regex");
}
