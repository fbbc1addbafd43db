// SPDX-License-Identifier: BSD-3-Clause
// Timers that wait for a point in time: a hierarchical timing wheel. Inserting and cancelling take constant time and
// allocate nothing, whatever the number of timers and wherever they stand; a timer moves at most once a level before
// it fires, so that firing takes the logarithm of the time that it waited.
// [Varghese and Lauck, Hashed and Hierarchical Timing Wheels, scheme 6]
//
// Time is nanoseconds, and a slot of the lowest level is one of them: all in it are due at once.
#pragma once

#include <boost/intrusive/list.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <limits>

namespace halvm::fiber {

/// Nanoseconds of the scheduler's clock.
using instant = std::uint64_t;
inline constexpr instant never = std::numeric_limits<instant>::max();

/// Part of whatever waits for a time. Must not be destroyed while it is in a wheel.
class timer {
public:
    [[nodiscard]] instant deadline() const noexcept { return deadline_; }
    [[nodiscard]] bool pending() const noexcept { return hook_.is_linked(); }

private:
    friend class timer_wheel;
    using hook = boost::intrusive::list_member_hook<boost::intrusive::link_mode<boost::intrusive::safe_link>>;

    hook hook_;
    instant deadline_ = never;
    std::uint16_t slot_ = 0;
};

class timer_wheel {
public:
    /// Pre: `one` is not pending. A deadline before the last expire() counts as that one's `now`.
    void insert(timer& one, instant deadline) noexcept {
        one.deadline_ = deadline;
        place(one);
        if (earliest_known_ && deadline < earliest_)
            earliest_ = deadline;
        ++size_;
    }

    /// Pre: `one` is pending in this wheel.
    void cancel(timer& one) noexcept {
        unlink(one);
        if (one.deadline_ == earliest_)
            earliest_known_ = false;
    }

    /// No timer is due before it: the earliest deadline of all, or the beginning of the slot that holds it when too
    /// many are in that slot to look at each; expire() then spreads them. Never when there is none.
    [[nodiscard]] instant earliest() noexcept {
        if (!earliest_known_) {
            earliest_ = find_earliest();
            earliest_known_ = true;
        }
        return earliest_;
    }

    /// Takes out each timer whose deadline is at or before `now`, and calls `fire(timer&)` for it, the earliest
    /// deadline first, and of equal ones the one that was inserted first. `fire` may insert and cancel timers; one
    /// that it inserts with a deadline that has passed fires in this call too.
    template <class Fire>
    void expire(instant now, Fire fire) {
        while (levels_used_ != 0) {
            const std::size_t slot = first_slot();
            if (start_of(slot) > now)
                break;
            // A slot that has begun is taken apart although nothing in it may be due, because the reference is going
            // to pass its beginning.
            reference_ = std::max(reference_, start_of(slot));
            if (slot >= slots_in_level) {
                take_apart(slot);
                continue;
            }
            // What is left of the slot stays findable while `fire` runs, for it may cancel any of it.
            timer& one = slots_[slot].front();
            cancel(one);
            fire(one);
        }
        reference_ = std::max(reference_, now);
        // A mere bound may have passed without a timer that was due.
        if (earliest_ <= now)
            earliest_known_ = false;
    }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

private:
    using slot_list = boost::intrusive::list<timer, boost::intrusive::member_hook<timer, timer::hook, &timer::hook_>,
                                             boost::intrusive::constant_time_size<false>>;

    static constexpr unsigned bits = 6;
    static constexpr std::size_t slots_in_level = std::size_t{1} << bits;
    static constexpr std::size_t levels = 11;  // of 6 bits hold the 64 bits of an instant
    static constexpr unsigned most_looked_at = 32;

    /// A timer stands in the level of the highest group of bits in which its instant differs from the reference: so
    /// all of a lower level comes before anything of a higher one, and within a level the slots are in order.
    void place(timer& one) noexcept {
        const instant at = std::max(one.deadline_, reference_);
        const std::uint64_t difference = at ^ reference_;
        const std::size_t level = difference == 0 ? 0 : (static_cast<unsigned>(std::bit_width(difference)) - 1) / bits;
        const std::size_t slot = level * slots_in_level + (at >> level * bits & (slots_in_level - 1));
        one.slot_ = static_cast<std::uint16_t>(slot);
        slots_[slot].push_back(one);
        mark(slot);
    }

    /// Moves what is in a slot to lower levels, in the order in which it came.
    void take_apart(std::size_t slot) noexcept {
        slot_list timers;
        timers.swap(slots_[slot]);
        clear(slot);
        while (!timers.empty()) {
            timer& one = timers.front();
            timers.pop_front();
            place(one);
        }
    }

    void unlink(timer& one) noexcept {
        auto& list = slots_[one.slot_];
        list.erase(list.iterator_to(one));
        if (list.empty())
            clear(one.slot_);
        --size_;
    }

    [[nodiscard]] std::size_t first_slot() const noexcept {
        const auto level = static_cast<std::size_t>(std::countr_zero(levels_used_));
        return level * slots_in_level + static_cast<std::size_t>(std::countr_zero(used_[level]));
    }

    /// The first instant of a slot, given that it is after the reference or holds it.
    [[nodiscard]] instant start_of(std::size_t slot) const noexcept {
        const std::size_t shift = slot / slots_in_level * bits;
        const instant above = shift + bits < 64 ? reference_ >> (shift + bits) << (shift + bits) : 0;
        return above | std::uint64_t{slot % slots_in_level} << shift;
    }

    [[nodiscard]] instant find_earliest() const noexcept {
        instant found = never;
        if (levels_used_ == 0)
            return found;
        unsigned left = most_looked_at;
        for (const timer& one : slots_[first_slot()]) {
            if (left-- == 0)
                return start_of(first_slot());
            found = std::min(found, one.deadline_);
        }
        return found;
    }

    void mark(std::size_t slot) noexcept {
        used_[slot / slots_in_level] |= std::uint64_t{1} << slot % slots_in_level;
        levels_used_ |= 1u << slot / slots_in_level;
    }
    void clear(std::size_t slot) noexcept {
        auto& used = used_[slot / slots_in_level];
        used &= ~(std::uint64_t{1} << slot % slots_in_level);
        if (used == 0)
            levels_used_ &= ~(1u << slot / slots_in_level);
    }

    std::array<slot_list, levels * slots_in_level> slots_;
    std::array<std::uint64_t, levels> used_{};
    unsigned levels_used_ = 0;
    instant reference_ = 0;  // no timer stands before it
    instant earliest_ = never;
    bool earliest_known_ = true;
    std::size_t size_ = 0;
};

}  // namespace halvm::fiber
