// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/net/tcp/recovery.hpp>

#include <algorithm>

namespace halvm::net::tcp {
namespace {

std::uint32_t distance(tcp_sequence from, tcp_sequence to) noexcept {
    return from < to ? static_cast<std::uint32_t>(to - from) : 0;
}

}  // namespace

void recovery::note_blocks(const report& what) noexcept {
    found_new_ = false;
    for (sequence_range block : *what.blocks) {
        // What is not in flight is a duplicate's report, or nonsense [rfc2883].
        // By distances, since of numbers half of their space apart each is before the other.
        const auto begin = static_cast<std::uint32_t>(block.begin - what.una);
        const auto end = static_cast<std::uint32_t>(block.end - what.una);
        if (begin >= end || end > distance(what.una, what.nxt))
            continue;
        const std::uint32_t known = arrived_.covered(block.begin, block.end);
        if (known != distance(block.begin, block.end) && arrived_.insert(block))
            found_new_ = true;
    }
    // A peer that says so of the left edge itself takes back what it said [rfc2018 8].
    if (!arrived_.empty() && arrived_[0].begin <= what.una)
        arrived_.clear();
}

void recovery::find_lost_edge(const report& what) noexcept {
    // Three ranges above, or more than two segments' bytes, and what is below is lost [rfc6675 4, IsLost].
    unsigned count = 0;
    std::uint32_t sum = 0;
    for (std::size_t i = arrived_.size(); i-- != 0;) {
        ++count;
        sum += distance(arrived_[i].begin, arrived_[i].end);
        if (count >= duplicate_threshold || sum > (duplicate_threshold - 1) * what.mss) {
            lost_edge_ = std::max(lost_edge_, arrived_[i].begin);
            return;
        }
    }
}

recovery::event recovery::on_acknowledgment(const report& what) noexcept {
    const std::uint32_t acked = distance(what.before, what.una);
    if (acked != 0) {
        arrived_.remove_below(what.una);
        duplicates_ = 0;
        timeouts_ = 0;
        high_rxt_ = std::max(high_rxt_, what.una);
        lost_edge_ = std::max(lost_edge_, what.una);
        rescued_ = std::max(rescued_, what.una);
    }
    if (what.selective) {
        note_blocks(what);
        find_lost_edge(what);
    }
    event told = event::nothing;
    if (phase_ != phase::open) {
        if (what.una >= point_) {
            phase_ = phase::open;
            urgent_ = false;
            left_ = 0;
            told = event::recovered;
        } else if (!what.selective) {
            if (acked != 0) {
                // The next one is lost too [rfc6582 3.2, step 3].
                left_ -= std::min(left_, acked > what.mss ? acked - what.mss : 0);
                if (phase_ == phase::recovering) {
                    high_rxt_ = what.una;
                    lost_edge_ = std::max(lost_edge_,
                                          what.una + std::min<std::uint32_t>(what.mss, distance(what.una, what.nxt)));
                    urgent_ = true;
                }
            } else if (what.duplicate) {
                left_ = std::min(left_ + what.mss, distance(what.una, what.nxt));
            }
        }
    }
    if (phase_ != phase::open)
        return told;
    if (acked != 0)
        left_ = 0;
    // Keeps up, so that the numbers' going round does not put it ahead.
    point_ = std::max(point_, what.una - 1u);
    if (what.una == what.nxt)
        return told;
    if (what.selective ? found_new_ : what.duplicate) {
        duplicates_ = static_cast<std::uint8_t>(std::min(duplicates_ + 1, 100));
        if (!what.selective)
            left_ = std::min(left_ + what.mss, distance(what.una, what.nxt));
    }
    const bool is_lost = lost_edge_ > what.una || duplicates_ >= duplicate_threshold;
    // Without selective acknowledgments, duplicates of what was just sent again would look like a loss [rfc6582 3.2].
    if (!is_lost || (!what.selective && what.una <= point_))
        return told;
    phase_ = phase::recovering;
    point_ = what.nxt;
    high_rxt_ = rescued_ = what.una;
    lost_edge_ = std::max(lost_edge_, what.una + std::min<std::uint32_t>(what.mss, distance(what.una, what.nxt)));
    urgent_ = true;
    return event::loss;
}

void recovery::on_timeout(tcp_sequence una, tcp_sequence nxt) noexcept {
    // A second timeout may be because the peer threw away what it had said it has [rfc2018 8].
    if (timeouts_ != 0)
        arrived_.clear();
    timeouts_ = static_cast<std::uint8_t>(std::min(timeouts_ + 1, 255));
    phase_ = phase::timed_out;
    point_ = std::max(point_, nxt);
    high_rxt_ = rescued_ = una;
    lost_edge_ = nxt;
    duplicates_ = 0;
    left_ = 0;
    urgent_ = true;
}

void recovery::forget(tcp_sequence una) noexcept {
    arrived_.clear();
    phase_ = phase::open;
    urgent_ = false;
    duplicates_ = 0;
    left_ = 0;
    high_rxt_ = rescued_ = lost_edge_ = una;
    point_ = una - 1u;
}

std::optional<sequence_range> recovery::first_hole(tcp_sequence from, tcp_sequence to,
                                                   std::uint16_t mss) const noexcept {
    for (const sequence_range* at = arrived_.first_ending_after(from); from < to; ++at) {
        if (at == arrived_.end())
            return sequence_range{from, from + std::min<std::uint32_t>(mss, distance(from, to))};
        if (at->begin > from)
            return sequence_range{from, from + std::min<std::uint32_t>(mss, distance(from, std::min(to, at->begin)))};
        from = at->end;
    }
    return std::nullopt;
}

std::optional<sequence_range> recovery::next_loss(tcp_sequence una, tcp_sequence nxt,
                                                  std::uint16_t mss) const noexcept {
    if (phase_ == phase::open)
        return std::nullopt;
    return first_hole(std::max(una, high_rxt_), std::min(lost_edge_, nxt), mss);
}

std::optional<sequence_range> recovery::last_chance(tcp_sequence una, tcp_sequence nxt,
                                                    std::uint16_t mss) const noexcept {
    if (phase_ != phase::recovering || arrived_.empty())
        return std::nullopt;
    if (const auto hole = first_hole(std::max(una, high_rxt_), arrived_.last().begin, mss))
        return hole;
    if (rescued_ >= point_ || una >= nxt)
        return std::nullopt;
    // Once, the last that was sent: if that is lost too, a timeout is spared.
    const tcp_sequence begin = std::max({una, arrived_.last().end, nxt - mss});
    if (begin >= nxt)
        return std::nullopt;
    return sequence_range{begin, nxt};
}

void recovery::sent_again(const sequence_range& what) noexcept {
    urgent_ = false;
    // The rescue says nothing of what is before it.
    if (!arrived_.empty() && what.begin >= arrived_.last().end && what.begin >= lost_edge_)
        rescued_ = std::max(point_, what.end);
    else
        high_rxt_ = std::max(high_rxt_, what.end);
}

std::uint32_t recovery::pipe(tcp_sequence una, tcp_sequence nxt) const noexcept {
    const std::uint32_t all = distance(una, nxt);
    if (phase_ == phase::open && arrived_.empty())
        return all - std::min(all, left_);
    const auto missing = [&](tcp_sequence from, tcp_sequence to) {
        return from < to ? distance(from, to) - arrived_.covered(from, to) : 0;
    };
    // What is not lost, and what was sent again.
    const tcp_sequence edge = std::clamp(lost_edge_, una, nxt);
    std::uint32_t sum = missing(edge, nxt);
    if (phase_ != phase::open)
        sum += missing(una, std::min(std::max(high_rxt_, una), nxt));
    // What a peer without selective acknowledgments has, it has of all.
    return sum - std::min(sum, left_);
}

}  // namespace halvm::net::tcp
