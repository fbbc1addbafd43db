// SPDX-License-Identifier: BSD-3-Clause
#include "net/oracles.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const halvm::fuzz::exact_copy copy{{reinterpret_cast<const std::byte*>(data), size}};
    halvm::fuzz::address(copy);
    return 0;
}

std::vector<halvm::fuzz::input> halvm::fuzz::seeds() {
    std::vector<input> texts;
    for (const std::string_view text :
         {"192.0.2.1", "0.0.0.0", "192.0.2.1:80", "192.0.2.0/24", "2001:db8::1", "::", "::1", "::ffff:192.0.2.1",
          "1:2:3:4:5:6:7:8", "fe80::1:0:0:1", "2001:db8::/32", "[2001:db8::1]:443", "02:00:00:00:00:0a"})
        texts.emplace_back(as_bytes(text).begin(), as_bytes(text).end());
    return texts;
}
