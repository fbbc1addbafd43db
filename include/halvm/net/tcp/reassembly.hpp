// SPDX-License-Identifier: BSD-3-Clause
// What was received: the stream up to where it is whole, and what came ahead of its turn. Bounded by the window that
// was offered, by a number of ranges, and by the memory of all connections.
#pragma once

#include <halvm/net/tcp/ranges.hpp>
#include <halvm/net/tcp/stream_buffer.hpp>

#include <array>

namespace halvm::net::tcp {

class reassembly {
public:
    enum class outcome : std::uint8_t {
        in_order,      ///< the stream is longer by it
        out_of_order,  ///< kept until what is missing comes
        known,         ///< all of it was there
        dropped,       ///< no room: no memory, or too many ranges
    };

    explicit reassembly(memory& from) noexcept : data_{from}, ahead_{from} {}

    void start(tcp_sequence next) noexcept { next_ = next; }
    /// Where the stream is whole up to: RCV.NXT, as long as no FIN was taken.
    [[nodiscard]] tcp_sequence next() const noexcept { return next_; }
    /// The end of all that has come.
    [[nodiscard]] tcp_sequence end() const noexcept { return ahead_.empty() ? next_ : ahead_.last().end; }
    /// Bytes that nobody has read.
    [[nodiscard]] std::uint32_t readable() const noexcept { return readable_; }
    [[nodiscard]] bool has_gap() const noexcept { return !ahead_.empty(); }

    /// Takes a segment's data. Pre: it lies in the window.
    outcome accept(tcp_sequence at, payload_view data, std::size_t most_ranges) noexcept {
        const std::int32_t old = next_ - at;
        if (old > 0) {
            if (static_cast<std::size_t>(old) >= data.size())
                return outcome::known;
            data.trim_front(static_cast<std::size_t>(old));
            at = next_;
        }
        const auto ahead = static_cast<std::size_t>(at - next_);
        const std::size_t done = data_.put(readable_ + ahead, data);
        if (done == 0) {
            release_if_empty();
            return outcome::dropped;
        }
        const sequence_range added{at, at + static_cast<std::uint32_t>(done)};
        if (ahead == 0) {
            advance(added.end);
            return outcome::in_order;
        }
        if (const sequence_range* const there = ahead_.find(at); there != nullptr && there->end >= added.end)
            return outcome::known;
        if (!ahead_.insert(added, most_ranges)) {
            release_if_empty();
            return outcome::dropped;
        }
        recent_ = {at, recent_[0], recent_[1], recent_[2]};
        return outcome::out_of_order;
    }

    /// The blocks that a segment with room for `most` of them says: first the range that came last, then those
    /// before it. [rfc2018 4]
    void report(wire::tcp_sack_blocks& into, std::size_t most) const noexcept {
        // One that says what came twice says nothing of what is there [rfc2883 4].
        const std::size_t before = into.size();
        const auto is_in = [&](const sequence_range& range) {
            return std::find(into.begin() + before, into.end(), range) != into.end();
        };
        for (const tcp_sequence one : recent_)
            if (const sequence_range* const range = ahead_.find(one))
                if (into.size() < most && !is_in(*range))
                    into.push_back(*range);
        for (const sequence_range& range : ahead_)
            if (into.size() < most && !is_in(range))
                into.push_back(range);
    }

    /// How many bytes, from the front of what is readable.
    std::size_t read(bytes into) noexcept {
        const std::size_t size = std::min<std::size_t>(into.size(), readable_);
        data_.copy_out(0, into.first(size));
        consume(size);
        return size;
    }
    /// Pre: as many are readable.
    void consume(std::size_t size) noexcept {
        data_.drop(size);
        readable_ -= static_cast<std::uint32_t>(size);
        release_if_empty();
    }
    template <class Visit>
    void for_each_readable(Visit visit) const {
        data_.for_each(0, readable_, visit);
    }
    /// Forgets all that nobody can read any more.
    void drop_ahead() noexcept {
        ahead_.clear();
        release_if_empty();
    }
    void clear() noexcept {
        readable_ = 0;
        drop_ahead();
    }

private:
    void advance(tcp_sequence to) noexcept {
        ahead_.remove_below(to);
        if (!ahead_.empty() && ahead_[0].begin == to) {
            to = ahead_[0].end;
            ahead_.remove_below(to);
        }
        readable_ += static_cast<std::uint32_t>(to - next_);
        next_ = to;
    }
    void release_if_empty() noexcept {
        if (readable_ == 0 && ahead_.empty())
            data_.clear();
    }

    stream_buffer data_;
    range_set ahead_;
    std::array<tcp_sequence, 4> recent_{};
    tcp_sequence next_{};
    std::uint32_t readable_ = 0;
};

}  // namespace halvm::net::tcp
