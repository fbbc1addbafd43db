// SPDX-License-Identifier: BSD-3-Clause
// feature: `std::system`, `popen`
// status: fails to link
// detail: popen, system
#include <cstdio>
#include <cstdlib>

int halvm_main() { return std::system("true") + (popen("true", "r") != nullptr); }
