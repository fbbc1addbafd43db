// SPDX-License-Identifier: BSD-3-Clause
// When a wait ends by itself: a point of one of POSIX's clocks, or never.
#pragma once

#include <cstdint>
#include <ctime>
#include <limits>

namespace halvm::libc {

class deadline {
public:
    constexpr deadline() noexcept = default;
    deadline(clockid_t clock, const timespec& when) noexcept;
    static deadline after(const timespec& duration) noexcept;

    /// False for a time or a clock that cannot be: the wait fails with EINVAL.
    [[nodiscard]] bool valid() const noexcept { return valid_; }
    [[nodiscard]] bool passed() const noexcept { return left() == 0; }
    /// In the scheduler's time, as the clocks stand now.
    [[nodiscard]] std::uint64_t instant() const noexcept;

private:
    static constexpr std::uint64_t never = std::numeric_limits<std::uint64_t>::max();

    /// Nanoseconds until then.
    [[nodiscard]] std::uint64_t left() const noexcept;

    std::uint64_t when_ = never;
    bool wall_ = false;
    bool valid_ = true;
};

}  // namespace halvm::libc
