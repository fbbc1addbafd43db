// SPDX-License-Identifier: BSD-3-Clause
// Where a stack takes numbers from that nobody may guess: ports, identifiers, transaction numbers.
#pragma once

#include <cstdint>

namespace halvm::net {

class random_source {
public:
    /// Never blocks and never fails.
    virtual std::uint64_t next() noexcept = 0;
    /// Less than `end`. Pre: `end` is not 0.
    std::uint32_t below(std::uint32_t end) noexcept { return static_cast<std::uint32_t>((next() >> 32) * end >> 32); }

protected:
    ~random_source() = default;
};

/// std::random_device. A machine without one panics.
random_source& system_random() noexcept;

}  // namespace halvm::net
