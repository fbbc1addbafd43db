// SPDX-License-Identifier: BSD-3-Clause
// feature: `<algorithm>`, `<numeric>`: a million integers sorted; `qsort`, `bsearch`
#include "report.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <numeric>
#include <random>
#include <vector>

namespace {

int ascending(const void* left, const void* right) {
    const auto a = *static_cast<const std::uint32_t*>(left);
    const auto b = *static_cast<const std::uint32_t*>(right);
    return a < b ? -1 : a > b;
}

}  // namespace

int halvm_main() {
    std::mt19937 generator{1};
    std::vector<std::uint32_t> numbers(1'000'000);
    std::ranges::generate(numbers, std::ref(generator));
    HALVM_CHECK(numbers[0] == 1791095845u);
    const auto sum = std::accumulate(numbers.begin(), numbers.end(), std::uint64_t{});
    std::vector<std::uint32_t> again = numbers;
    std::ranges::sort(numbers);
    HALVM_CHECK(std::ranges::is_sorted(numbers));
    HALVM_CHECK(std::accumulate(numbers.begin(), numbers.end(), std::uint64_t{}) == sum);
    std::stable_sort(again.begin(), again.end());
    HALVM_CHECK(again == numbers);

    again.resize(20'000);
    std::ranges::shuffle(again, generator);
    std::qsort(again.data(), again.size(), sizeof again[0], ascending);
    HALVM_CHECK(std::ranges::is_sorted(again));
    const std::uint32_t key = again[777];
    const void* const found = std::bsearch(&key, again.data(), again.size(), sizeof again[0], ascending);
    HALVM_CHECK(found != nullptr && *static_cast<const std::uint32_t*>(found) == key);

    HALVM_CHECK(std::gcd(84, 36) == 12 && std::midpoint(2, 8) == 5);
    return report::verdict("sort");
}
