// SPDX-License-Identifier: BSD-3-Clause
// A ChaCha20 generator whose key changes after each request (fast key erasure), so that what was handed out
// cannot be computed from what is in memory later. [rfc8439 2.3]
#include "core/entropy.hpp"

#include "arch/x86_64/cpu.hpp"
#include "arch/x86_64/features.hpp"
#include "core/domain.hpp"
#include "core/time.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

namespace halvm::core {
namespace {

using block = std::array<std::uint32_t, 16>;

void quarter_round(block& x, int a, int b, int c, int d) noexcept {
    x[a] += x[b], x[d] = std::rotl(x[d] ^ x[a], 16);
    x[c] += x[d], x[b] = std::rotl(x[b] ^ x[c], 12);
    x[a] += x[b], x[d] = std::rotl(x[d] ^ x[a], 8);
    x[c] += x[d], x[b] = std::rotl(x[b] ^ x[c], 7);
}

struct generator {
    std::array<std::uint32_t, 8> key{};
    bool seeded = false;

    block next(std::uint64_t counter) const noexcept {
        block start{0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
        std::copy(key.begin(), key.end(), start.begin() + 4);
        start[12] = static_cast<std::uint32_t>(counter);
        start[13] = static_cast<std::uint32_t>(counter >> 32);
        block x = start;
        for (int round = 0; round < 10; ++round) {
            quarter_round(x, 0, 4, 8, 12), quarter_round(x, 1, 5, 9, 13);
            quarter_round(x, 2, 6, 10, 14), quarter_round(x, 3, 7, 11, 15);
            quarter_round(x, 0, 5, 10, 15), quarter_round(x, 1, 6, 11, 12);
            quarter_round(x, 2, 7, 8, 13), quarter_round(x, 3, 4, 9, 14);
        }
        for (std::size_t i = 0; i < x.size(); ++i)
            x[i] += start[i];
        return x;
    }

    void rekey(const block& from) noexcept { std::copy_n(from.begin(), key.size(), key.begin()); }

    /// Mixes `data` into the key: each 32 bytes are added and stirred.
    void mix(std::string_view data) noexcept {
        for (std::size_t at = 0; at < data.size(); at += sizeof key) {
            std::array<std::uint32_t, 8> part{};
            std::memcpy(part.data(), data.data() + at, std::min(sizeof part, data.size() - at));
            for (std::size_t i = 0; i < key.size(); ++i)
                key[i] ^= part[i];
            rekey(next(at));
        }
    }

    template <class Value>
    void mix_value(const Value& value) noexcept {
        mix({reinterpret_cast<const char*>(&value), sizeof value});
    }
};

constinit generator state;

/// One word from the CPU; it may be busy for a while, so it is asked a few times.
bool hardware_word(std::uint64_t& word) noexcept {
    for (int attempt = 0; attempt < 32; ++attempt) {
        if ((arch::features.rdseed && arch::rdseed(word)) || (arch::features.rdrand && arch::rdrand(word)))
            return true;
        arch::pause();
    }
    return false;
}

void seed() noexcept {
    if (entropy_is_hardware()) {
        std::array<std::uint64_t, 4> words{};
        for (auto& word : words)
            hardware_word(word);
        std::memcpy(state.key.data(), words.data(), sizeof words);
    } else {
        state.mix(domain.identity);
        const std::uint64_t clocks[]{arch::rdtsc(), monotonic_ns(), wall_ns()};
        state.mix_value(clocks);
        // How long the counter takes to be read varies a little with everything else that the machine does.
        for (int sample = 0; sample < 64; ++sample)
            state.mix_value(arch::rdtsc());
    }
    state.seeded = true;
}

}  // namespace

bool entropy_is_hardware() noexcept { return arch::features.rdseed || arch::features.rdrand; }

void entropy_fill(void* into, std::size_t size) noexcept {
    if (!state.seeded)
        seed();
    // Fresh bits join on every request where the CPU has them.
    std::uint64_t fresh = arch::rdtsc();
    if (entropy_is_hardware())
        hardware_word(fresh);
    state.key[0] ^= static_cast<std::uint32_t>(fresh);
    state.key[1] ^= static_cast<std::uint32_t>(fresh >> 32);

    // Block 0 is the next key; those after it are handed out.
    auto* out = static_cast<char*>(into);
    for (std::uint64_t counter = 1; size != 0; ++counter) {
        const block bytes = state.next(counter);
        const auto part = std::min(size, sizeof bytes);
        std::memcpy(out, bytes.data(), part);
        out += part;
        size -= part;
    }
    state.rekey(state.next(0));
}

}  // namespace halvm::core
