// SPDX-License-Identifier: BSD-3-Clause
// feature: `std::cout`, `std::cerr`, `std::clog` and their manipulators
#include "report.hpp"

#include <iomanip>
#include <iostream>
#include <sstream>

int halvm_main() {
    std::cout << "cout: " << 42 << ' ' << 2.5 << ' ' << std::boolalpha << true << ' ' << std::hex << std::showbase
              << 255 << std::dec << std::endl;
    std::cerr << "cerr: unbuffered\n";
    std::clog << "clog: buffered\n" << std::flush;
    std::wcout << L"wcout: wide\n";
    HALVM_CHECK(std::cout.good() && std::cerr.good() && std::clog.good());

    std::ostringstream text;
    text << std::setw(8) << std::setfill('*') << -7 << '|' << std::left << std::setw(6) << "ab" << '|' << std::fixed
         << std::setprecision(3) << 3.14159 << '|' << std::scientific << 12345.678 << '|' << std::hexfloat << 1.0 << '|'
         << std::quoted("a \"b\"");
    HALVM_CHECK(text.str() == "******-7|ab****|3.142|1.235e+04|0x1p+0|\"a \\\"b\\\"\"");
    return report::verdict("cout");
}
