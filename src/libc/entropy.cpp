// SPDX-License-Identifier: BSD-3-Clause
// The C calls that ask for random bytes.
#include "core/entropy.hpp"

#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace core = halvm::core;

extern "C" {

int getentropy(void* into, std::size_t size) {
    constexpr std::size_t most = 256;
    if (size > most) {
        errno = EIO;
        return -1;
    }
    core::entropy_fill(into, size);
    return 0;
}

ssize_t getrandom(void* into, std::size_t size, unsigned) {
    core::entropy_fill(into, size);
    return static_cast<ssize_t>(size);
}

void arc4random_buf(void* into, std::size_t size) noexcept { core::entropy_fill(into, size); }

std::uint32_t arc4random() noexcept {
    std::uint32_t value;
    core::entropy_fill(&value, sizeof value);
    return value;
}

std::uint32_t arc4random_uniform(std::uint32_t bound) noexcept {
    // The high half of the product is uniform once the low half is not one of the few that occur too often.
    // [Lemire, Fast Random Integer Generation in an Interval]
    if (bound < 2)
        return 0;
    const std::uint32_t too_often = -bound % bound;
    std::uint64_t product;
    do
        product = std::uint64_t{arc4random()} * bound;
    while (static_cast<std::uint32_t>(product) < too_often);
    return static_cast<std::uint32_t>(product >> 32);
}
}
