// SPDX-License-Identifier: BSD-3-Clause
// Which parts of a stream are there: ranges of the sequence space in their order, which neither overlap nor touch. Both
// ends need it: the receiver for what came out of order, the sender for what the peer says so of.
#pragma once

#include <halvm/net/tcp/memory.hpp>
#include <halvm/net/wire/tcp.hpp>

#include <algorithm>
#include <cstdint>

namespace halvm::net::tcp {

using wire::tcp_sequence;
using sequence_range = wire::tcp_sack_block;

/// The memory is one chunk, as long as there is a range.
class range_set {
public:
    static constexpr std::size_t most = memory::chunk_size / sizeof(sequence_range);

    explicit range_set(memory& from) noexcept : memory_{&from} {}
    range_set(const range_set&) = delete;
    range_set& operator=(const range_set&) = delete;
    ~range_set() { clear(); }

    [[nodiscard]] std::size_t size() const noexcept { return count_; }
    [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
    [[nodiscard]] const sequence_range& operator[](std::size_t at) const noexcept { return ranges_[at]; }
    [[nodiscard]] const sequence_range* begin() const noexcept { return ranges_; }
    [[nodiscard]] const sequence_range* end() const noexcept { return ranges_ + count_; }
    /// Pre: there is one.
    [[nodiscard]] const sequence_range& last() const noexcept { return ranges_[count_ - 1]; }
    /// The one that `at` lies in, if any.
    [[nodiscard]] const sequence_range* find(tcp_sequence at) const noexcept {
        const sequence_range* const found = first_ending_after(at);
        return found != end() && found->begin <= at ? found : nullptr;
    }
    /// The first one that ends after `at`, else end().
    [[nodiscard]] const sequence_range* first_ending_after(tcp_sequence at) const noexcept {
        return std::partition_point(begin(), end(), [at](const sequence_range& one) { return one.end <= at; });
    }
    /// How many of the bytes from `from` to before `to` are in ranges.
    [[nodiscard]] std::uint32_t covered(tcp_sequence from, tcp_sequence to) const noexcept {
        std::uint32_t sum = 0;
        for (const sequence_range* at = first_ending_after(from); at != end() && at->begin < to; ++at)
            sum += static_cast<std::uint32_t>(std::min(at->end - from, to - from) - std::max(at->begin - from, 0));
        return sum;
    }

    /// Adds a range and joins what it overlaps or touches. False, and nothing is added, when that needs more ranges
    /// than `limit`, or there is no memory. Pre: it is not empty.
    bool insert(sequence_range added, std::size_t limit = most) noexcept {
        if (ranges_ == nullptr) {
            std::byte* const chunk = memory_->take();
            if (chunk == nullptr)
                return false;
            ranges_ = reinterpret_cast<sequence_range*>(chunk);
            for (std::size_t i = 0; i < most; ++i)
                new (ranges_ + i) sequence_range{};
        }
        sequence_range* const all_end = ranges_ + count_;
        sequence_range* const first =
            std::partition_point(ranges_, all_end, [&](const sequence_range& one) { return one.end < added.begin; });
        sequence_range* last = first;
        for (; last != all_end && last->begin <= added.end; ++last) {
            added.begin = std::min(added.begin, last->begin);
            added.end = std::max(added.end, last->end);
        }
        if (first == last) {
            if (count_ >= std::min(limit, most)) {
                if (count_ == 0)
                    clear();
                return false;
            }
            std::move_backward(first, all_end, all_end + 1);
            ++count_;
        } else {
            std::move(last, all_end, first + 1);
            count_ -= static_cast<std::uint32_t>(last - first) - 1;
        }
        *first = added;
        return true;
    }
    /// What is before `at` is forgotten.
    void remove_below(tcp_sequence at) noexcept {
        if (ranges_ == nullptr)
            return;
        auto* const kept = const_cast<sequence_range*>(first_ending_after(at));
        std::move(kept, ranges_ + count_, ranges_);
        count_ -= static_cast<std::uint32_t>(kept - ranges_);
        if (count_ == 0)
            clear();
        else
            ranges_[0].begin = std::max(ranges_[0].begin, at);
    }
    void clear() noexcept {
        if (ranges_ != nullptr)
            memory_->give(reinterpret_cast<std::byte*>(std::exchange(ranges_, nullptr)));
        count_ = 0;
    }

private:
    memory* memory_;
    sequence_range* ranges_ = nullptr;
    std::uint32_t count_ = 0;
};

}  // namespace halvm::net::tcp
