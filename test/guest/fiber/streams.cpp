// SPDX-License-Identifier: BSD-3-Clause
// Threads that print at once. stdout is locked while its owner waits for the console, so the others wait for it.
#include "report.hpp"

#include <cstdio>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

int halvm_main() {
    int printed = 0;
    std::vector<std::jthread> some;
    for (char letter = 'a'; letter != 'g'; ++letter)
        some.emplace_back([&printed, letter] {
            const std::string text(150, letter);
            for (int i = 0; i != 12; ++i) {
                std::printf("%s %c %s\n", text.c_str(), letter, text.c_str());
                std::this_thread::yield();
                std::cout << std::string(60, letter) << std::endl;
                flockfile(stdout);
                std::puts(letter == 'a' ? "together" : "not alone");
                std::this_thread::yield();
                std::puts("still mine");
                funlockfile(stdout);
                ++printed;
            }
        });
    some.clear();
    HALVM_CHECK(printed == 72);
    return report::verdict("streams");
}
