// SPDX-License-Identifier: BSD-3-Clause
// Compiled for x86-64-v3: on a CPU without it, boot refuses by name; with it, 256-bit registers work.
#include "report.hpp"

#include <array>
#include <cmath>

int halvm_main() {
    alignas(32) std::array<float, 1024> a, b;
    for (std::size_t i = 0; i < a.size(); ++i)
        a[i] = static_cast<float>(i), b[i] = 2;
    volatile float factor = 3;
    const float times = factor;
    for (std::size_t i = 0; i < a.size(); ++i)
        a[i] = std::fma(a[i], times, b[i]);
    bool right = true;
    for (std::size_t i = 0; i < a.size(); ++i)
        right = right && a[i] == static_cast<float>(i) * 3 + 2;
    HALVM_CHECK(right);
    return report::verdict("avx");
}
