// SPDX-License-Identifier: BSD-3-Clause
// feature: `std::fopen`, `std::remove`, `std::tmpfile`
// status: fails to link
// detail: fopen, remove, tmpfile
#include <cstdio>

int halvm_main() { return (std::fopen("/etc/motd", "r") != nullptr) + std::remove("x") + (std::tmpfile() != nullptr); }
