// SPDX-License-Identifier: BSD-3-Clause
// feature: containers, strings, string streams, `<bitset>`, `<span>`
#include "report.hpp"

#include <bitset>
#include <deque>
#include <forward_list>
#include <functional>
#include <iterator>
#include <list>
#include <map>
#include <memory_resource>
#include <queue>
#include <set>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <valarray>
#include <vector>

int halvm_main() {
    std::map<std::string, int> words;
    std::istringstream text{"the cat and the dog and the bird"};
    for (std::string word; text >> word;)
        ++words[word];
    HALVM_CHECK(words.size() == 5 && words["the"] == 3 && words.begin()->first == "and");

    std::unordered_map<int, std::string> table;
    for (int i = 0; i != 5000; ++i)
        table.emplace(i, std::to_string(i));
    HALVM_CHECK(table.size() == 5000 && table.at(4321) == "4321" && table.erase(7) == 1 && !table.contains(7));
    HALVM_CHECK(report::throws<std::out_of_range>([&] { table.at(7); }));

    std::list<int> list{3, 1, 2};
    list.sort();
    HALVM_CHECK((list == std::list{1, 2, 3}));
    std::deque<int> deque(1000, 1);
    deque.push_front(0);
    deque.pop_back();
    HALVM_CHECK(deque.size() == 1000 && deque.front() == 0);
    std::priority_queue<int> queue{std::less<int>{}, std::vector{4, 9, 2}};
    HALVM_CHECK(queue.top() == 9);
    const std::set<int> set{5, 3, 5, 1};
    HALVM_CHECK(set.size() == 3 && *set.lower_bound(2) == 3);
    std::unordered_set<std::string> names{"a", "b"};
    HALVM_CHECK(names.insert("c").second && !names.insert("a").second);
    std::forward_list<int> single{1, 2};
    single.reverse();
    HALVM_CHECK(single.front() == 2);

    std::string line = "small";
    line.append(1000, 'x').replace(0, 5, "big").insert(3, "ger");
    HALVM_CHECK(line.starts_with("biggerx") && line.size() == 1006 && line.find("rx") == 5 && line.rfind('g') == 3);
    std::vector<std::string> pieces{std::istream_iterator<std::string>{std::istringstream{"a b c"} >> std::ws}, {}};
    HALVM_CHECK(pieces.size() == 3 && pieces.back() == "c");
    HALVM_CHECK(std::bitset<70>{"1011"}.count() == 3);
    HALVM_CHECK(std::valarray<double>{1, 2, 3}.sum() == 6);
    const int numbers[] = {1, 2, 3};
    HALVM_CHECK(std::span{numbers}.subspan(1).front() == 2);

    std::byte buffer[256];
    std::pmr::monotonic_buffer_resource arena{buffer, sizeof buffer, std::pmr::null_memory_resource()};
    std::pmr::vector<int> pool{&arena};
    pool.assign({1, 2, 3});
    HALVM_CHECK(report::throws<std::bad_alloc>([&] { pool.reserve(1000); }));
    return report::verdict("containers");
}
