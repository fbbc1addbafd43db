// SPDX-License-Identifier: BSD-3-Clause
// Where addresses and packets print themselves: text into memory that the caller gives, without allocation or locale.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace halvm {

/// Appends to the characters it was given; what does not fit is cut off.
class text_sink {
public:
    /// `room` must outlive the sink.
    constexpr explicit text_sink(std::span<char> room) noexcept : room_{room} {}

    constexpr void text(std::string_view add) noexcept {
        for (const char one : add)
            character(one);
    }
    constexpr void character(char one) noexcept {
        if (size_ < room_.size())
            room_[size_++] = one;
        else
            is_cut_ = true;
    }
    constexpr void decimal(std::uint64_t value) noexcept { number(value, 10, 1); }
    /// In lower case, without a prefix, with zeros in front up to `digits`.
    constexpr void hex(std::uint64_t value, std::size_t digits = 1) noexcept { number(value, 16, digits); }

    [[nodiscard]] constexpr std::string_view view() const noexcept { return {room_.data(), size_}; }
    [[nodiscard]] constexpr bool is_cut() const noexcept { return is_cut_; }

    constexpr void clear() noexcept {
        size_ = 0;
        is_cut_ = false;
    }

private:
    constexpr void number(std::uint64_t value, unsigned base, std::size_t digits) noexcept {
        std::array<char, 20> reversed{};
        std::size_t count = 0;
        do {
            reversed[count++] = "0123456789abcdef"[value % base];
            value /= base;
        } while (value != 0 || (count < digits && count < reversed.size()));
        while (count != 0)
            character(reversed[--count]);
    }

    std::span<char> room_;
    std::size_t size_ = 0;
    bool is_cut_ = false;
};

/// The text of something whose longest text is known, as a value.
template <std::size_t Capacity>
class fixed_text {
public:
    /// What `print(text_sink&)` writes.
    template <class Print>
    constexpr explicit fixed_text(Print print) noexcept {
        text_sink sink{chars_};
        print(sink);
        size_ = sink.view().size();
    }

    [[nodiscard]] constexpr std::string_view view() const noexcept { return {chars_.data(), size_}; }
    constexpr operator std::string_view() const noexcept { return view(); }

private:
    std::array<char, Capacity> chars_{};
    std::size_t size_ = 0;
};

}  // namespace halvm
