// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/xen/store.hpp>

#include <cstdio>

int halvm_main() {
    const auto id = halvm::xen::store().read_number<unsigned>("domid");
    if (!id) {
        std::printf("%s\n", id.error().message().c_str());
        return 1;
    }
    std::printf("I am domain %u.\n", *id);
    return 0;
}
