// SPDX-License-Identifier: BSD-3-Clause
#include <iostream>
#include <regex>

int halvm_main() {
    std::cout << std::regex_replace("Hello moon!", std::regex{"mo+n"}, "world") << std::endl;
    return 0;
}
