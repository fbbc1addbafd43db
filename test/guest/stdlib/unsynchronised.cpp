// SPDX-License-Identifier: BSD-3-Clause
// feature: `std::ios::sync_with_stdio(false)`
#include "report.hpp"

#include <iostream>
#include <string>

int halvm_main() {
    std::ios::sync_with_stdio(false);
    std::cout << "a number? " << std::flush;
    int number = 0;
    std::string word;
    std::cin >> number >> word;
    HALVM_CHECK(number == 23 && word == "skidoo");
    for (int i = 0; i != 3; ++i)
        std::cout << "line " << i << '\n';
    std::cout.flush();
    HALVM_CHECK(std::cin.good() && std::cout.good());
    return report::verdict("unsynchronised");
}
