// SPDX-License-Identifier: BSD-3-Clause
// A decorator that tells what a Block is asked, and how that ended.
#pragma once

#include <halvm/device/block.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <utility>

namespace halvm::model {

template <Block Inner>
class traced_block {
public:
    using buffer = typename Inner::buffer;
    /// Called for each request when it is done.
    using teller = std::function<void(const block_request&, std::uint32_t sector_size)>;

    traced_block(Inner inner, teller tell) : inner_{std::move(inner)}, tell_{std::move(tell)} {}

    [[nodiscard]] block_info info() const noexcept { return inner_.info(); }
    result<buffer> allocate(std::size_t size) { return inner_.allocate(size); }

    result<void> transfer(std::span<block_request> batch) {
        auto how = inner_.transfer(batch);
        for (const block_request& one : batch)
            tell_(one, inner_.info().sector_size);
        return how;
    }

    [[nodiscard]] Inner& inner() noexcept { return inner_; }

private:
    Inner inner_;
    teller tell_;
};

/// "read", "write", "flush" or "discard".
constexpr std::string_view name(block_operation operation) noexcept {
    constexpr std::array<std::string_view, 4> names{"read", "write", "flush", "discard"};
    return names[static_cast<std::size_t>(operation)];
}

}  // namespace halvm::model
