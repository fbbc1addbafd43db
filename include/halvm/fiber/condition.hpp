// SPDX-License-Identifier: BSD-3-Clause
// Waiting for something to become true, for a count to come, or for others to arrive.
#pragma once

#include <halvm/fiber/errors.hpp>
#include <halvm/fiber/mutex.hpp>
#include <halvm/fiber/scheduler.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>

namespace halvm::fiber {

namespace detail {
struct barrier_access;
}

/// A condition variable for any lock. Nothing is woken without reason.
class condition_variable {
public:
    /// Gives the lock up, blocks until notified or until the limit, and takes the lock again, however long that needs.
    /// False when the limit came first.
    template <class Lock>
    bool wait(Lock& lock, const wait_limit& limit = {}) {
        // Nothing runs between the unlock and the wait, because no fiber yields there.
        lock.unlock();
        const bool notified = detail::wait_in(waiting_, limit) == wake::signalled;
        lock.lock();
        return notified;
    }
    /// The same until `true_now()` is; what it says at the end.
    template <class Lock, class Predicate>
    requires std::predicate<Predicate&>
    bool wait(Lock& lock, Predicate true_now, const wait_limit& limit = {}) {
        while (!true_now())
            if (!wait(lock, limit))
                return true_now();
        return true;
    }
    void notify_one() noexcept {
        const detail::ordered order{waiting_};
        this_scheduler().signal(waiting_);
    }
    void notify_all() noexcept {
        const detail::ordered order{waiting_};
        this_scheduler().signal_all(waiting_);
    }
    /// For coroutines.
    [[nodiscard]] wait_queue& queue() noexcept { return waiting_; }

private:
    wait_queue waiting_{"condition variable"};
};

/// A count that fibers take from. What is given goes to the fiber that has waited longest.
class semaphore {
public:
    explicit semaphore(std::size_t count) noexcept : count_{count} {}

    bool acquire(const wait_limit& limit = {}) noexcept {
        return try_acquire() || detail::wait_in(waiting_, limit) == wake::signalled;
    }
    bool try_acquire() noexcept {
        const detail::ordered order{waiting_};
        if (count_ == 0)
            return false;
        --count_;
        return true;
    }
    void release(std::size_t count = 1) noexcept {
        const detail::ordered order{waiting_};
        while (count != 0 && this_scheduler().signal(waiting_))
            --count;
        count_ += count;
    }
    [[nodiscard]] std::size_t available() const noexcept {
        const detail::ordered order{waiting_};
        return count_;
    }
    /// For coroutines.
    [[nodiscard]] wait_queue& queue() noexcept { return waiting_; }

private:
    std::size_t count_;
    wait_queue waiting_{"semaphore"};
};

/// Something that has happened, until it is reset. All waiters go on at once.
class event {
public:
    void set() noexcept {
        const detail::ordered order{waiting_};
        set_ = true;
        this_scheduler().signal_all(waiting_);
    }
    void reset() noexcept {
        const detail::ordered order{waiting_};
        set_ = false;
    }
    [[nodiscard]] bool is_set() const noexcept {
        const detail::ordered order{waiting_};
        return set_;
    }
    [[nodiscard]] bool try_wait() const noexcept { return is_set(); }
    bool wait(const wait_limit& limit = {}) noexcept {
        return is_set() || detail::wait_in(waiting_, limit) == wake::signalled;
    }
    /// For select() and coroutines.
    [[nodiscard]] wait_queue& queue() noexcept { return waiting_; }

private:
    bool set_ = false;
    wait_queue waiting_{"event"};
};

/// Work under way: add() it, done() when it ends, wait() for all of it.
class wait_group {
public:
    void add(std::size_t count = 1) noexcept {
        const detail::ordered order{waiting_};
        open_ += count;
    }
    void done() noexcept {
        const detail::ordered order{waiting_};
        if (open_ == 0)
            broken_rule("has nothing left to be done", "wait group");
        if (--open_ == 0)
            this_scheduler().signal_all(waiting_);
    }
    [[nodiscard]] bool try_wait() const noexcept {
        const detail::ordered order{waiting_};
        return open_ == 0;
    }
    bool wait(const wait_limit& limit = {}) noexcept {
        return try_wait() || detail::wait_in(waiting_, limit) == wake::signalled;
    }

    /// For coroutines.
    [[nodiscard]] wait_queue& queue() noexcept { return waiting_; }

private:
    std::size_t open_ = 0;
    wait_queue waiting_{"wait group"};
};

/// Opens once, after `count` arrivals.
class latch {
public:
    explicit latch(std::size_t count) noexcept : left_{count} {}
    void count_down(std::size_t count = 1) noexcept {
        const detail::ordered order{waiting_};
        if (count > left_)
            broken_rule("counted down below zero", "latch");
        if (left_ -= count; left_ == 0)
            this_scheduler().signal_all(waiting_);
    }
    [[nodiscard]] bool try_wait() const noexcept {
        const detail::ordered order{waiting_};
        return left_ == 0;
    }
    bool wait(const wait_limit& limit = {}) noexcept {
        return try_wait() || detail::wait_in(waiting_, limit) == wake::signalled;
    }
    bool arrive_and_wait(const wait_limit& limit = {}) noexcept {
        count_down();
        return wait(limit);
    }

    /// For coroutines.
    [[nodiscard]] wait_queue& queue() noexcept { return waiting_; }

private:
    std::size_t left_;
    wait_queue waiting_{"latch"};
};

/// Opens each time that `count` fibers have arrived.
class barrier {
public:
    explicit barrier(std::size_t count) noexcept : count_{count}, left_{count} {
        if (count == 0)
            broken_rule("made for no fiber at all", "barrier");
    }
    /// Blocks until it opens; true for the fiber whose arrival opened it.
    bool arrive_and_wait() noexcept {
        if (arrive())
            return true;
        detail::wait_in(waiting_, {});
        return false;
    }
    /// The same, up to the limit: then the arrival is taken back, unless the barrier opened in that moment.
    /// Errors: std::errc::timed_out and operation_canceled by the limit.
    result<bool> arrive_and_wait(const wait_limit& limit) {
        const detail::ordered order{waiting_};
        if (arrive())
            return true;
        const std::size_t round = round_;
        const wake how = detail::wait_in(waiting_, limit);
        if (how != wake::signalled && take_back(round))
            return detail::gave_up(how, "wait at a barrier");
        return false;
    }

private:
    friend struct detail::barrier_access;

    bool arrive() noexcept {
        const detail::ordered order{waiting_};
        if (--left_ != 0)
            return false;
        left_ = count_;
        ++round_;
        this_scheduler().signal_all(waiting_);
        return true;
    }
    bool take_back(std::size_t round) noexcept {
        const detail::ordered order{waiting_};
        if (round != round_)
            return false;
        ++left_;
        return true;
    }

    std::size_t count_;
    std::size_t left_;
    std::size_t round_ = 0;
    wait_queue waiting_{"barrier"};
};

}  // namespace halvm::fiber
