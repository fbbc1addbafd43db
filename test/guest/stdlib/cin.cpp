// SPDX-License-Identifier: BSD-3-Clause
// feature: `std::cin >> int`, `std::getline`, `std::scanf` from the console
#include "report.hpp"

#include <iostream>
#include <string>

int halvm_main() {
    std::cout << "a number and two words? ";
    int number = 0;
    std::string first;
    std::string second;
    std::cin >> number >> first >> second;
    HALVM_CHECK(std::cin.good());
    HALVM_CHECK(number == 17 && first == "red" && second == "blue");

    std::string line;
    std::getline(std::cin, line);
    HALVM_CHECK(line.empty());
    std::getline(std::cin, line);
    HALVM_CHECK(line == "a whole line");

    std::cin >> number;
    HALVM_CHECK(std::cin.fail());
    std::cin.clear();
    std::cin >> first;
    HALVM_CHECK(first == "word");

    double real = 0;
    char text[8] = "";
    HALVM_CHECK(std::scanf("%lf %7s", &real, text) == 2);
    HALVM_CHECK(real == -2.5 && std::string{text} == "end");

    std::setvbuf(stdin, nullptr, _IONBF, 0);
    HALVM_CHECK(std::getchar() == '\n' && std::getchar() == 'u' && std::fgetc(stdin) == 'n');
    HALVM_CHECK(std::fgets(text, sizeof text, stdin) == text && std::string{text} == "buffere");
    HALVM_CHECK(std::getchar() == 'd' && std::getchar() == '\n');
    return report::verdict("cin");
}
