// SPDX-License-Identifier: BSD-3-Clause
// The form that IPv4's and TCP's options share: a kind, then, but for "end" (0) and "nothing" (1), a length that
// counts these two bytes, then data. [rfc791 3.1] [rfc9293 3.1]
#pragma once

#include <halvm/net/wire/fields.hpp>

#include <iterator>

namespace halvm::net::wire {

struct option {
    std::uint8_t kind;
    const_bytes data;  // without kind and length
};

/// The options of a checked header, in order; kinds 0 and 1 are not shown.
class option_list {
public:
    static constexpr std::uint8_t end_of_list = 0;
    static constexpr std::uint8_t nothing = 1;

    /// Whether every option ends within `area`.
    static constexpr bool is_well_formed(const_bytes area) noexcept {
        while (!area.empty() && load8(area, 0) != end_of_list) {
            const std::size_t size = size_of_first(area);
            if (size == 0)
                return false;
            area = area.subspan(size);
        }
        return true;
    }

    /// Pre: is_well_formed(area).
    constexpr explicit option_list(const_bytes area) noexcept : area_{area} {}

    class iterator {
    public:
        using value_type = option;
        using difference_type = std::ptrdiff_t;

        constexpr iterator() noexcept = default;
        constexpr explicit iterator(const_bytes rest) noexcept : rest_{rest} { skip(); }
        constexpr option operator*() const noexcept {
            return {load8(rest_, 0), rest_.subspan(2, size_of_first(rest_) - 2)};
        }
        constexpr iterator& operator++() noexcept {
            rest_ = rest_.subspan(size_of_first(rest_));
            skip();
            return *this;
        }
        constexpr iterator operator++(int) noexcept {
            const iterator before = *this;
            ++*this;
            return before;
        }
        friend constexpr bool operator==(const iterator& left, const iterator& right) noexcept {
            return left.rest_.size() == right.rest_.size();
        }

    private:
        constexpr void skip() noexcept {
            while (!rest_.empty() && load8(rest_, 0) == nothing)
                rest_ = rest_.subspan(1);
            if (!rest_.empty() && load8(rest_, 0) == end_of_list)
                rest_ = {};
        }

        const_bytes rest_;
    };

    [[nodiscard]] constexpr iterator begin() const noexcept { return iterator{area_}; }
    [[nodiscard]] constexpr iterator end() const noexcept { return {}; }

private:
    // 0 when it does not fit.
    static constexpr std::size_t size_of_first(const_bytes area) noexcept {
        if (load8(area, 0) == nothing)
            return 1;
        if (area.size() < 2)
            return 0;
        const std::size_t size = load8(area, 1);
        return size < 2 || size > area.size() ? 0 : size;
    }

    const_bytes area_;
};

}  // namespace halvm::net::wire
