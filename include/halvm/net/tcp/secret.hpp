// SPDX-License-Identifier: BSD-3-Clause
// Numbers that nobody outside can guess or make: a keyed hash, SipHash-2-4. [Aumasson and Bernstein, 2012]
#pragma once

#include <halvm/net/tcp/network.hpp>

#include <bit>
#include <cstdint>
#include <initializer_list>

namespace halvm::net::tcp {

class keyed_hash {
public:
    constexpr keyed_hash(std::uint64_t first, std::uint64_t second) noexcept : first_{first}, second_{second} {}

    /// Of whole words.
    [[nodiscard]] constexpr std::uint64_t operator()(std::initializer_list<std::uint64_t> words) const noexcept {
        state at{first_ ^ 0x736f6d6570736575, second_ ^ 0x646f72616e646f6d, first_ ^ 0x6c7967656e657261,
                 second_ ^ 0x7465646279746573};
        for (const std::uint64_t word : words)
            at.take(word);
        at.take(static_cast<std::uint64_t>(words.size() * 8) << 56);
        at.v2 ^= 0xff;
        for (int i = 0; i < 4; ++i)
            at.round();
        return at.v0 ^ at.v1 ^ at.v2 ^ at.v3;
    }
    [[nodiscard]] std::uint64_t operator()(const flow& of, std::uint64_t what) const noexcept {
        const auto high = [](const ip_address& one) { return one.is_v4() ? 0 : one.v6().high_bits(); };
        const auto low = [](const ip_address& one) { return one.is_v4() ? one.v4().bits() : one.v6().low_bits(); };
        return (*this)({high(of.local.address), low(of.local.address), high(of.remote.address), low(of.remote.address),
                        std::uint64_t{of.local.port} << 16 | of.remote.port, what});
    }

private:
    struct state {
        std::uint64_t v0, v1, v2, v3;
        constexpr void round() noexcept {
            v0 += v1;
            v1 = std::rotl(v1, 13) ^ v0;
            v0 = std::rotl(v0, 32);
            v2 += v3;
            v3 = std::rotl(v3, 16) ^ v2;
            v0 += v3;
            v3 = std::rotl(v3, 21) ^ v0;
            v2 += v1;
            v1 = std::rotl(v1, 17) ^ v2;
            v2 = std::rotl(v2, 32);
        }
        constexpr void take(std::uint64_t word) noexcept {
            v3 ^= word;
            round();
            round();
            v0 ^= word;
        }
    };

    std::uint64_t first_;
    std::uint64_t second_;
};

}  // namespace halvm::net::tcp
