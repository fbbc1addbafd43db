// SPDX-License-Identifier: BSD-3-Clause
// An input that says what the other end of a device does, step by step.
#pragma once

#include <halvm/bytes.hpp>

#include <cstdint>

namespace halvm::fuzz {

/// The input, taken byte by byte; zeros behind its end.
class script {
public:
    explicit script(const_bytes all) : left_{all} {}
    [[nodiscard]] bool over() const { return left_.empty(); }
    std::uint8_t byte() {
        if (left_.empty())
            return 0;
        const auto first = std::to_integer<std::uint8_t>(left_.front());
        left_ = left_.subspan(1);
        return first;
    }
    std::uint32_t word() {
        std::uint32_t value = 0;
        for (int i = 0; i < 4; ++i)
            value = value << 8 | byte();
        return value;
    }

private:
    const_bytes left_;
};

}  // namespace halvm::fuzz
