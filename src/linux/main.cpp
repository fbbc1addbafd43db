// SPDX-License-Identifier: BSD-3-Clause
// The process around halvm_main(): what a domain's command line is to a kernel, argv is here.
#include "fibers.hpp"

#include <halvm/main.hpp>
#include <halvm/program.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace halvm {
namespace {

std::span<const char* const> words;

bool is_assignment(std::string_view word) noexcept {
    const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
    const auto name = word.substr(0, word.find('='));
    return name.size() < word.size() && !name.empty() && letter(name.front()) &&
           std::ranges::all_of(name, [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

/// Runs before the constructors of static objects, which may ask for the command line and start fibers as they may in a
/// domain.
[[gnu::constructor(101)]] void begin(int count, char** values, char**) {
    if (count > 1)
        words = {values + 1, static_cast<std::size_t>(count - 1)};
    for (const char* word : words)
        if (is_assignment(word))
            putenv(const_cast<char*>(word));
    process::fibers_start();
    process::handlers_start();
    process::threads_start();
    process::thread_locals_report();
}

}  // namespace

std::string_view command_line() noexcept {
    static const std::string joined = [] {
        std::string all;
        for (const char* const& word : words)
            all.append(&word == &words.front() ? "" : " ").append(word);
        return all;
    }();
    return joined;
}

std::span<const char* const> arguments() noexcept { return words; }

}  // namespace halvm

int main() {
    // As in a domain: a line comes out when it is whole, whatever standard output is.
    std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
    return halvm_main();
}
