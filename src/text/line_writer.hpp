// SPDX-License-Identifier: BSD-3-Clause
// Text for panics and for messages before stdio may be used: a fixed buffer, no allocation, no locale.
#pragma once

#include <array>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace halvm {

/// One line of at most 511 bytes; what does not fit is cut off.
class line_writer {
public:
    void text(std::string_view add) noexcept;
    /// The same; a call with a literal is shorter.
    void text(const char* add) noexcept;

    void hex(std::uint64_t value) noexcept { number(value, 16, "0x", 1); }
    void hex_padded(std::uint64_t value) noexcept { number(value, 16, "", 16); }
    void decimal(std::uint64_t value) noexcept { number(value, 10, "", 1); }

    /// The subset of printf() that panic() documents.
    void format(const char* format, std::va_list arguments) noexcept;

    [[nodiscard]] const char* c_str() noexcept {
        buffer_[size_] = '\0';
        return buffer_.data();
    }
    [[nodiscard]] std::string_view view() const noexcept { return {buffer_.data(), size_}; }

    void clear() noexcept { size_ = 0; }

private:
    void number(std::uint64_t value, unsigned base, std::string_view prefix, std::size_t digits) noexcept;

    std::array<char, 512> buffer_;
    std::size_t size_ = 0;
};

}  // namespace halvm
