// SPDX-License-Identifier: BSD-3-Clause
// The queue inside a channel: a ring that grows by doubling and never shrinks, so that a channel in steady use
// allocates nothing.
#pragma once

#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

namespace halvm::fiber::detail {

template <class Value>
class ring {
    static_assert(std::is_nothrow_move_constructible_v<Value>,
                  "a value that is handed over must not get lost half-way");

public:
    ring() noexcept = default;
    ring(const ring&) = delete;
    ring& operator=(const ring&) = delete;
    ~ring() {
        while (size_ != 0)
            pop_front();
        release();
    }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

    /// Pre: not empty.
    [[nodiscard]] Value& front() noexcept { return slots_[first_]; }

    /// Errors: std::bad_alloc, and the ring is as it was.
    void push_back(Value&& value) {
        if (size_ == room_)
            grow();
        std::construct_at(slots_ + ((first_ + size_) & (room_ - 1)), std::move(value));
        ++size_;
    }

    /// Pre: not empty.
    void pop_front() noexcept {
        std::destroy_at(slots_ + first_);
        first_ = (first_ + 1) & (room_ - 1);
        --size_;
    }

private:
    void grow() {
        const std::size_t wider = room_ == 0 ? 8 : room_ * 2;
        Value* const slots = std::allocator<Value>{}.allocate(wider);
        for (std::size_t i = 0; i < size_; ++i) {
            Value& from = slots_[(first_ + i) & (room_ - 1)];
            std::construct_at(slots + i, std::move(from));
            std::destroy_at(&from);
        }
        release();
        slots_ = slots;
        room_ = wider;
        first_ = 0;
    }

    void release() noexcept {
        if (room_ != 0)
            std::allocator<Value>{}.deallocate(slots_, room_);
    }

    Value* slots_ = nullptr;
    std::size_t room_ = 0;  // a power of two, or none
    std::size_t first_ = 0;
    std::size_t size_ = 0;
};

}  // namespace halvm::fiber::detail
