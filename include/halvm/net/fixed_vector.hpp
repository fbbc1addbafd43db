// SPDX-License-Identifier: BSD-3-Clause
// A list with a limit, whose memory is taken once: its code cannot fail, and is a few instructions.
#pragma once

#include <halvm/contract.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <utility>

namespace halvm::net {

template <class Value>
class fixed_vector {
public:
    /// Throws: std::bad_alloc.
    explicit fixed_vector(std::size_t capacity) : values_{new Value[capacity]}, capacity_{capacity} {}

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] bool full() const noexcept { return size_ == capacity_; }

    [[nodiscard]] Value* begin() noexcept { return values_.get(); }
    [[nodiscard]] Value* end() noexcept { return values_.get() + size_; }
    [[nodiscard]] const Value* begin() const noexcept { return values_.get(); }
    [[nodiscard]] const Value* end() const noexcept { return values_.get() + size_; }
    /// Pre: there is one.
    [[nodiscard]] Value& operator[](std::size_t at) noexcept { return values_[at]; }
    [[nodiscard]] const Value& operator[](std::size_t at) const noexcept { return values_[at]; }

    /// Pre: it is not full.
    void push_back(Value value) noexcept {
        Expects(!full());
        values_[size_++] = std::move(value);
    }
    /// All that `which(const Value&)` is true of; how many.
    template <class Which>
    std::size_t erase_if(Which which) noexcept {
        std::size_t kept = 0;
        for (std::size_t at = 0; at != size_; ++at)
            if (!which(std::as_const(values_[at]))) {
                if (kept != at)
                    values_[kept] = std::move(values_[at]);
                ++kept;
            }
        const std::size_t erased = size_ - kept;
        while (size_ != kept)
            values_[--size_] = Value{};
        return erased;
    }
    void clear() noexcept {
        while (size_ != 0)
            values_[--size_] = Value{};
    }
    void swap(fixed_vector& other) noexcept {
        values_.swap(other.values_);
        std::swap(size_, other.size_);
        std::swap(capacity_, other.capacity_);
    }

private:
    std::unique_ptr<Value[]> values_;
    std::size_t size_ = 0;
    std::size_t capacity_;
};

}  // namespace halvm::net
