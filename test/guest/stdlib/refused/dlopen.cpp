// SPDX-License-Identifier: BSD-3-Clause
// feature: shared objects: `dlopen`, `dlsym`
// status: fails to link
// detail: dlopen, dlsym
#include <dlfcn.h>

int halvm_main() { return dlsym(dlopen("libm.so.6", RTLD_NOW), "sin") != nullptr; }
