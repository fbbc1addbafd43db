// SPDX-License-Identifier: BSD-3-Clause
// What a fuzz target is: this file's two functions. libFuzzer calls the first; driver.cpp calls both.
#pragma once

#include <halvm/bytes.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

/// Runs one input; aborts when what must hold for any input does not.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace halvm::fuzz {

using input = std::vector<std::byte>;

/// Good inputs, which the driver changes at random.
std::vector<input> seeds();

/// Aborts, so that every fuzzer sees it, unless `holds`.
inline void must(bool holds, const char* what) {
    if (!holds) {
        std::fprintf(stderr, "fuzz: it does not hold that %s\n", what);
        std::abort();
    }
}

/// The bytes of "0800 45", white space left out.
inline input from_hex(std::string_view hex) {
    input made;
    std::string digits;
    for (const char one : hex)
        if (one != ' ')
            digits += one;
    must(digits.size() % 2 == 0, "hexadecimal text has two digits a byte");
    for (std::size_t at = 0; at < digits.size(); at += 2)
        made.push_back(std::byte{static_cast<std::uint8_t>(std::stoul(digits.substr(at, 2), nullptr, 16))});
    return made;
}

/// A copy with nothing behind it, so that the address sanitizer sees a byte read too far.
class exact_copy {
public:
    explicit exact_copy(const_bytes from) : size_{from.size()}, memory_{new std::byte[from.size()]} {
        std::copy(from.begin(), from.end(), memory_);
    }
    exact_copy(const exact_copy&) = delete;
    exact_copy& operator=(const exact_copy&) = delete;
    ~exact_copy() { delete[] memory_; }

    operator const_bytes() const { return {memory_, size_}; }

private:
    std::size_t size_;
    std::byte* memory_;
};

}  // namespace halvm::fuzz
