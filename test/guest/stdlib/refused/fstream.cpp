// SPDX-License-Identifier: BSD-3-Clause
// feature: `std::ifstream`, `std::ofstream`
// status: fails to link
// detail: fopen64
#include <fstream>
#include <string>

int halvm_main() {
    std::ifstream file{"/etc/motd"};
    std::string line;
    std::ofstream{"/tmp/copy"} << file.rdbuf();
    return static_cast<bool>(std::getline(file, line));
}
