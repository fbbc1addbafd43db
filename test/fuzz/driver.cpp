// SPDX-License-Identifier: BSD-3-Clause
// Runs a target without libFuzzer: its seeds, then mutations of them, always the same for the same --seed.
// Files that are named are run instead, as libFuzzer does with what it found.
#include "fuzz.hpp"

#include <cstring>
#include <fstream>
#include <iterator>
#include <random>

namespace {

using halvm::fuzz::input;

void run(const input& one) { LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(one.data()), one.size()); }

class mutator {
public:
    explicit mutator(std::uint64_t seed) : random_{seed} {}

    std::size_t below(std::size_t limit) { return static_cast<std::size_t>(random_()) % limit; }

    void change(input& one, const input& other) {
        for (std::size_t times = 1 + below(4); times != 0; --times) {
            if (one.empty())
                one.push_back(std::byte{});
            const std::size_t at = below(one.size());
            const auto here = one.begin() + static_cast<std::ptrdiff_t>(at);
            switch (below(7)) {
            case 0: one[at] ^= std::byte{static_cast<std::uint8_t>(1u << below(8))}; break;
            case 1: one[at] = std::byte{static_cast<std::uint8_t>(below(256))}; break;
            case 2: one[at] = edges[below(std::size(edges))]; break;
            case 3: one.erase(here, one.end()); break;
            case 4: one.erase(here); break;
            case 5: one.insert(here, 1 + below(16), std::byte{static_cast<std::uint8_t>(below(256))}); break;
            case 6:
                if (!other.empty()) {
                    const auto from = other.begin() + static_cast<std::ptrdiff_t>(below(other.size()));
                    one.insert(
                        here, from,
                        from + static_cast<std::ptrdiff_t>(below(static_cast<std::size_t>(other.end() - from) + 1)));
                }
                break;
            }
        }
        if (one.size() > greatest)
            one.resize(greatest);
    }

private:
    static constexpr std::byte edges[] = {std::byte{0},    std::byte{1},    std::byte{2},    std::byte{4},
                                          std::byte{8},    std::byte{0x3f}, std::byte{0x40}, std::byte{0x7f},
                                          std::byte{0x80}, std::byte{0xc0}, std::byte{0xfe}, std::byte{0xff}};
    static constexpr std::size_t greatest = 4096;

    std::mt19937_64 random_;
};

int usage() {
    std::fputs("usage: fuzz_NAME [--runs N] [--seed N] | --corpus DIRECTORY | FILE...\n", stderr);
    return 2;
}

}  // namespace

int main(int count, char** words) {
    std::uint64_t runs = 20'000, seed = 1;
    std::vector<std::string> files;
    for (int at = 1; at < count; ++at) {
        const std::string word = words[at];
        if (word.starts_with("--") && at + 1 == count)
            return usage();
        if (word == "--runs") {
            runs = std::stoull(words[++at]);
        } else if (word == "--seed") {
            seed = std::stoull(words[++at]);
        } else if (word == "--corpus") {
            const std::string directory = words[++at];
            std::size_t number = 0;
            for (const input& one : halvm::fuzz::seeds())
                std::ofstream{directory + "/seed-" + std::to_string(number++), std::ios::binary}.write(
                    reinterpret_cast<const char*>(one.data()), static_cast<std::streamsize>(one.size()));
            return 0;
        } else if (word.starts_with("--")) {
            return usage();
        } else {
            files.push_back(word);
        }
    }
    for (const std::string& name : files) {
        std::ifstream file{name, std::ios::binary};
        const std::string text{std::istreambuf_iterator<char>{file}, {}};
        const halvm::const_bytes data = halvm::as_bytes(text);
        run({data.begin(), data.end()});
    }
    if (!files.empty())
        return 0;

    const std::vector<input> good = halvm::fuzz::seeds();
    halvm::fuzz::must(!good.empty(), "a target has seeds");
    for (const input& one : good)
        run(one);
    mutator change{seed};
    for (std::uint64_t left = runs; left != 0; --left) {
        input one = good[change.below(good.size())];
        change.change(one, good[change.below(good.size())]);
        run(one);
    }
    std::printf("%zu seeds and %llu mutations of seed %llu hold\n", good.size(), static_cast<unsigned long long>(runs),
                static_cast<unsigned long long>(seed));
    return 0;
}
