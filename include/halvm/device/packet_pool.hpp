// SPDX-License-Identifier: BSD-3-Clause
// Where packets come from: a pool is filled once, with memory and with what keeps account of it, and gives and takes
// after that without ever allocating. When it is empty, that is an error of whoever wanted more.
#pragma once

#include <halvm/contract.hpp>
#include <halvm/device/memory_buffer.hpp>
#include <halvm/device/packet.hpp>
#include <halvm/device/packet_storage.hpp>
#include <halvm/result.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>

namespace halvm {

/// A handle of a pool. Packets outlive it.
class packet_pool {
public:
    /// Pre: `memory` is as large as the shape says, and begins at a page's border; the shape's sizes are as it asks.
    /// Throws: std::bad_alloc.
    packet_pool(std::unique_ptr<packet_memory> memory, const packet_pool_shape& shape)
        : arena_{new detail::packet_arena{std::move(memory), shape}} {
        arena_->enter();
    }
    /// In memory of the program's own. Errors: std::errc::not_enough_memory.
    static result<packet_pool> make(const packet_pool_shape& shape);

    packet_pool(packet_pool&& other) noexcept : arena_{std::exchange(other.arena_, nullptr)} {}
    packet_pool& operator=(packet_pool&& other) noexcept {
        std::swap(arena_, other.arena_);
        return *this;
    }
    ~packet_pool() {
        if (arena_ != nullptr)
            arena_->leave();
    }

    /// A packet of `size` bytes, which are whatever they were before, with the shape's headroom in front. It is one
    /// piece when it fits into one, with the headroom, else pieces that are full but for the last.
    /// Errors: std::errc::not_enough_memory.
    result<packet> allocate(std::size_t size) noexcept { return allocate(size, shape().headroom); }
    /// Pre: `headroom` is less than a large storage.
    result<packet> allocate(std::size_t size, std::size_t headroom) noexcept;

    [[nodiscard]] const packet_pool_shape& shape() const noexcept { return arena_->shape(); }
    [[nodiscard]] packet_memory& memory() const noexcept { return arena_->memory(); }
    /// What is not in use.
    [[nodiscard]] packet_pool_counts idle() const noexcept { return arena_->idle(); }

private:
    detail::packet_arena* arena_;
};

[[gnu::noinline, gnu::noclone]] inline result<packet> packet_pool::allocate(std::size_t size,
                                                                            std::size_t headroom) noexcept {
    const std::size_t large = shape().large;
    Expects(headroom < large && size <= std::numeric_limits<std::uint32_t>::max());
    packet made;
    detail::packet_node* end = nullptr;
    std::size_t left = size;
    do {
        const std::size_t skip = made ? 0 : headroom;
        auto* const one = packet::take(*arena_, std::min(skip + left, large));
        if (one == nullptr)
            return packet::exhausted();
        const std::size_t here = std::min(left, one->storage->capacity() - skip);
        one->begin = static_cast<std::uint32_t>(skip);
        one->size = static_cast<std::uint32_t>(here);
        made.link(end, *one);
        left -= here;
    } while (left != 0);
    return made;
}

inline result<packet_pool> packet_pool::make(const packet_pool_shape& shape) {
    class plain_memory final : public packet_memory {
    public:
        explicit plain_memory(memory_buffer buffer) noexcept : buffer_{std::move(buffer)} {}
        [[nodiscard]] bytes run() noexcept override { return buffer_; }

    private:
        memory_buffer buffer_;
    };
    auto buffer = memory_buffer::make(shape.bytes_in_all());
    if (!buffer)
        return failure(buffer.error());
    return packet_pool{std::make_unique<plain_memory>(std::move(*buffer)), shape};
}

}  // namespace halvm
