// SPDX-License-Identifier: BSD-3-Clause
// feature: `<ranges>` and its views
#include "report.hpp"

#include <algorithm>
#include <ranges>
#include <string>
#include <string_view>
#include <vector>

int halvm_main() {
    auto squares_of_odd = std::views::iota(1, 10) | std::views::filter([](int i) { return i % 2 == 1; }) |
                          std::views::transform([](int i) { return i * i; }) | std::views::reverse;
    HALVM_CHECK(std::ranges::equal(squares_of_odd, std::vector{81, 49, 25, 9, 1}));
    HALVM_CHECK(std::ranges::distance(std::views::iota(0) | std::views::drop(3) | std::views::take(4)) == 4);

    std::vector<std::string> words;
    for (const auto word : std::views::split(std::string_view{"net,block,console"}, ','))
        words.emplace_back(word.begin(), word.end());
    std::ranges::sort(words, {}, &std::string::size);
    HALVM_CHECK(words.front() == "net" && words.back() == "console");
    const auto found = std::ranges::find_if(words, [](const auto& word) { return word.starts_with('b'); });
    HALVM_CHECK(found != words.end() && *found == "block");
    return report::verdict("ranges");
}
