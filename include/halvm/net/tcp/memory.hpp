// SPDX-License-Identifier: BSD-3-Clause
// The memory that all connections of a stack share, in chunks of one size with one limit. A connection with nothing to
// keep holds none of it.
#pragma once

#include <halvm/contract.hpp>

#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

namespace halvm::net::tcp {

class memory {
public:
    static constexpr std::size_t chunk_size = 4096;

    explicit memory(std::size_t limit) noexcept : limit_{limit / chunk_size} {}
    memory(const memory&) = delete;
    memory& operator=(const memory&) = delete;
    /// Pre: all was given back.
    ~memory() {
        Expects(used_ == 0);
        while (idle_ != nullptr)
            free_one();
    }

    /// Null at the limit, and when there is no memory. What is `essential` may go over the limit: the first chunk of a
    /// stream, without which it would never go on, nor be told when it can.
    std::byte* take(bool essential = false) noexcept {
        if (used_ >= limit_ && !essential)
            return nullptr;
        std::byte* taken = nullptr;
        if (idle_ != nullptr) {
            taken = reinterpret_cast<std::byte*>(std::exchange(idle_, idle_->next));
            --idle_count_;
        } else {
            taken = static_cast<std::byte*>(::operator new(chunk_size, std::nothrow));
            if (taken == nullptr)
                return nullptr;
        }
        ++used_;
        return taken;
    }
    void give(std::byte* chunk) noexcept {
        --used_;
        idle_ = new (chunk) link{idle_};
        ++idle_count_;
        // What is used again soon is kept, and no more.
        while (idle_count_ > most_idle && idle_count_ > used_)
            free_one();
    }

    [[nodiscard]] std::size_t used() const noexcept { return used_ * chunk_size; }
    [[nodiscard]] std::size_t limit() const noexcept { return limit_ * chunk_size; }
    /// Windows do not grow then.
    [[nodiscard]] bool is_short() const noexcept { return used_ >= limit_ - limit_ / 4; }

private:
    static constexpr std::size_t most_idle = 32;
    struct link {
        link* next;
    };
    void free_one() noexcept {
        --idle_count_;
        ::operator delete(std::exchange(idle_, idle_->next));
    }

    std::size_t limit_;
    std::size_t used_ = 0;
    std::size_t idle_count_ = 0;
    link* idle_ = nullptr;
};

}  // namespace halvm::net::tcp
