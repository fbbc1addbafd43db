// SPDX-License-Identifier: BSD-3-Clause
// Random bytes differ, fill what they were asked to and nothing more, with the CPU's generator and without.
#include "report.hpp"

#include "core/entropy.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <set>

int halvm_main() {
    std::set<std::uint64_t> seen;
    int ones = 0;
    for (int i = 0; i < 10'000; ++i) {
        std::uint64_t value = 0;
        halvm::core::entropy_fill(&value, sizeof value);
        ones += std::popcount(value);
        seen.insert(value);
    }
    HALVM_CHECK(seen.size() == 10'000);
    // 640,000 fair bits: six standard deviations are 2,400.
    HALVM_CHECK(ones > 320'000 - 2'400 && ones < 320'000 + 2'400);

    std::array<unsigned char, 300> bytes{};
    halvm::core::entropy_fill(bytes.data() + 1, 298);
    HALVM_CHECK(bytes.front() == 0 && bytes.back() == 0);
    HALVM_CHECK(std::count(bytes.begin(), bytes.end(), 0) < 20);
    std::printf("hardware: %d\n", halvm::core::entropy_is_hardware());
    return report::verdict("entropy");
}
