// SPDX-License-Identifier: BSD-3-Clause
#include "net/oracles.hpp"
#include "net/seeds.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const halvm::fuzz::exact_copy copy{{reinterpret_cast<const std::byte*>(data), size}};
    halvm::fuzz::dhcpv4(copy);
    return 0;
}

std::vector<halvm::fuzz::input> halvm::fuzz::seeds() { return captured_from(42, {"dhcp"}); }
