// SPDX-License-Identifier: BSD-3-Clause
// Packets that wait in lists of somebody's, all out of one store: as many as were made at the beginning, and no more.
#pragma once

#include <halvm/contract.hpp>
#include <halvm/device/packet.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace halvm::net {

struct held_packet {
    packet data{};
    std::uint32_t begin = 0;  ///< of a fragment: where it stands in the whole
    std::uint32_t end = 0;
    held_packet* next = nullptr;
};

class held_packets {
public:
    /// Throws: std::bad_alloc.
    explicit held_packets(std::size_t capacity) : all_{new held_packet[capacity]}, capacity_{capacity} {
        for (std::size_t at = capacity; at-- != 0;)
            all_[at].next = std::exchange(free_, &all_[at]);
    }

    [[nodiscard]] std::size_t held() const noexcept { return held_; }
    [[nodiscard]] bool full() const noexcept { return held_ == capacity_; }

    /// Pre: not full().
    held_packet& take(packet data) noexcept {
        Expects(!full());
        held_packet& one = *std::exchange(free_, free_->next);
        one.data = std::move(data);
        one.next = nullptr;
        ++held_;
        return one;
    }
    /// The first of a list, out of it.
    packet give_first(held_packet*& list) noexcept {
        held_packet& one = *std::exchange(list, list->next);
        one.next = std::exchange(free_, &one);
        --held_;
        return std::move(one.data);
    }
    void give_all(held_packet*& list) noexcept {
        while (list != nullptr)
            give_first(list);
    }

private:
    std::unique_ptr<held_packet[]> all_;
    std::size_t capacity_;
    std::size_t held_ = 0;
    held_packet* free_ = nullptr;
};

}  // namespace halvm::net
