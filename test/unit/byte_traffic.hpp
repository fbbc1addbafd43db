// SPDX-License-Identifier: BSD-3-Clause
// Bytes to send through whatever carries bytes in order, and reading them at its other side.
#pragma once

#include <halvm/bytes.hpp>
#include <halvm/fiber/scheduler.hpp>
#include <halvm/result.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <random>
#include <string>
#include <system_error>
#include <vector>

namespace halvm::test {

/// Without line ends, which some consoles change; and from a seed, so that a lost or doubled piece shows.
inline std::string traffic(std::size_t size, unsigned seed) {
    std::mt19937 random{seed};
    std::string text(size, '\0');
    for (char& c : text)
        c = static_cast<char>('!' + random() % 90);
    return text;
}

template <class Source>
std::string read_exactly(Source& from, std::size_t size, std::size_t at_once = 777) {
    std::string all;
    std::vector<std::byte> part(at_once);
    while (all.size() < size) {
        const auto count = from.read(bytes{part}.first(std::min(at_once, size - all.size())), fiber::wait_limit{});
        REQUIRE(count);
        REQUIRE(*count > 0);
        REQUIRE(*count <= size - all.size());
        all.append(as_text(bytes{part}.first(*count)));
    }
    return all;
}

template <class Value>
bool fails_with(const result<Value>& how, std::errc why) {
    return !how && how.error().code() == why;
}

}  // namespace halvm::test
