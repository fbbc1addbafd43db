// SPDX-License-Identifier: BSD-3-Clause
// Dates as HTTP writes them: "Sun, 06 Nov 1994 08:49:37 GMT". [rfc9110 5.6.7]
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string_view>

namespace halvm::http {

/// Of years 0 to 9999.
class date_text {
public:
    explicit date_text(std::chrono::sys_seconds when) noexcept;
    [[nodiscard]] std::string_view view() const noexcept { return {text_.data(), text_.size()}; }

private:
    std::array<char, 29> text_;
};

/// In any of the three forms that are to be read; nothing when it is none of them, or no such day is there.
[[nodiscard]] std::optional<std::chrono::sys_seconds> parse_date(std::string_view text) noexcept;

}  // namespace halvm::http
