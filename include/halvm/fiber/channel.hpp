// SPDX-License-Identifier: BSD-3-Clause
// Handing values from fiber to fiber: mvar, a place for one value, and channel, a queue that can be closed. A value
// goes straight to a fiber that waits for it.
#pragma once

#include <halvm/fiber/errors.hpp>
#include <halvm/fiber/ring.hpp>
#include <halvm/fiber/scheduler.hpp>
#include <halvm/result.hpp>

#include <concepts>
#include <cstddef>
#include <limits>
#include <optional>
#include <utility>

namespace halvm::fiber {

/// A place that is empty or holds one value; Haskell's MVar.
template <class Value>
class mvar {
public:
    mvar() = default;
    explicit mvar(Value value) : value_{std::move(value)} {}

    /// Blocks until the place is empty, and fills it.
    /// Errors: std::errc::timed_out and operation_canceled by the limit.
    result<void> put(Value value, const wait_limit& limit = {}) {
        const detail::ordered order{putters_, takers_, readers_};
        if (try_put(value))
            return {};
        waiter here{.queue = &putters_, .slot = &value};
        if (const wake how = this_scheduler().wait_any(here, limit); how != wake::signalled)
            return detail::gave_up(how, "put into an mvar");
        return {};
    }
    /// Blocks until there is a value, and takes it out. Errors: as put().
    result<Value> take(const wait_limit& limit = {}) {
        const detail::ordered order{putters_, takers_, readers_};
        if (auto now = try_take())
            return std::move(*now);
        std::optional<Value> taken;
        waiter here{.queue = &takers_, .slot = &taken};
        if (const wake how = this_scheduler().wait_any(here, limit); how != wake::signalled)
            return detail::gave_up(how, "take from an mvar");
        return std::move(*taken);
    }
    /// Blocks until there is a value, and copies it. Errors: as put().
    result<Value> read(const wait_limit& limit = {}) requires std::copyable<Value> {
        const detail::ordered order{putters_, takers_, readers_};
        if (value_)
            return *value_;
        std::optional<Value> copied;
        waiter here{.queue = &readers_, .slot = &copied};
        if (const wake how = this_scheduler().wait_any(here, limit); how != wake::signalled)
            return detail::gave_up(how, "read an mvar");
        return std::move(*copied);
    }
    /// Moves from `value` only when it returns true.
    bool try_put(Value& value) {
        const detail::ordered order{putters_, takers_, readers_};
        if (value_)
            return false;
        if constexpr (std::copyable<Value>)
            while (!readers_.empty()) {
                waiter& first = readers_.front();
                *static_cast<std::optional<Value>*>(first.slot) = value;
                this_scheduler().signal(first);
            }
        if (takers_.empty()) {
            value_ = std::move(value);
        } else {
            waiter& first = takers_.front();
            *static_cast<std::optional<Value>*>(first.slot) = std::move(value);
            this_scheduler().signal(first);
        }
        return true;
    }
    std::optional<Value> try_take() {
        const detail::ordered order{putters_, takers_, readers_};
        if (!value_)
            return std::nullopt;
        std::optional<Value> taken = std::exchange(value_, std::nullopt);
        if (!putters_.empty()) {
            waiter& first = putters_.front();
            value_ = std::move(*static_cast<Value*>(first.slot));
            this_scheduler().signal(first);
        }
        return taken;
    }
    [[nodiscard]] bool empty() const noexcept {
        const detail::ordered order{putters_, takers_, readers_};
        return !value_;
    }
    /// For select() and coroutines.
    [[nodiscard]] wait_queue& takers() noexcept { return takers_; }
    [[nodiscard]] wait_queue& putters() noexcept { return putters_; }
    [[nodiscard]] wait_queue& readers() noexcept { return readers_; }
    [[nodiscard]] const Value* value() const noexcept {
        const detail::ordered order{putters_, takers_, readers_};
        return value_ ? &*value_ : nullptr;
    }

private:
    std::optional<Value> value_;
    wait_queue putters_{"mvar to be empty"};
    wait_queue takers_{"mvar to be full"};
    wait_queue readers_{"mvar to be full"};
};

inline constexpr std::size_t unbounded = std::numeric_limits<std::size_t>::max();

/// A queue of at most `capacity` values; with 0, a sender waits for its receiver. Once closed it takes nothing more
/// and gives out what it holds.
template <class Value>
class channel {
public:
    explicit channel(std::size_t capacity = unbounded) : capacity_{capacity} {}

    /// Blocks while the channel is full.
    /// Errors: std::errc::broken_pipe when it is closed, timed_out and operation_canceled by the limit; the value is
    /// lost then.
    result<void> send(Value value, const wait_limit& limit = {}) {
        const detail::ordered order{senders_, receivers_};
        if (closed_)
            return detail::was_closed("send to a channel");
        if (try_send(value))
            return {};
        waiter here{.queue = &senders_, .slot = &value};
        if (const wake how = this_scheduler().wait_any(here, limit); how != wake::signalled)
            return detail::gave_up(how, "send to a channel");
        if (!here.handed)
            return detail::was_closed("send to a channel");
        return {};
    }
    /// Blocks while the channel is empty.
    /// Errors: std::errc::broken_pipe when it is closed and empty, timed_out and operation_canceled by the limit.
    result<Value> receive(const wait_limit& limit = {}) {
        const detail::ordered order{senders_, receivers_};
        if (auto now = try_receive())
            return std::move(*now);
        if (closed_)
            return detail::was_closed("receive from a channel");
        std::optional<Value> received;
        waiter here{.queue = &receivers_, .slot = &received};
        if (const wake how = this_scheduler().wait_any(here, limit); how != wake::signalled)
            return detail::gave_up(how, "receive from a channel");
        if (!received)
            return detail::was_closed("receive from a channel");
        return std::move(*received);
    }
    /// Moves from `value` only when it returns true. False when the channel is full or closed.
    bool try_send(Value& value) {
        const detail::ordered order{senders_, receivers_};
        if (closed_)
            return false;
        if (!receivers_.empty()) {
            waiter& first = receivers_.front();
            *static_cast<std::optional<Value>*>(first.slot) = std::move(value);
            this_scheduler().signal(first);
            return true;
        }
        if (values_.size() >= capacity_)
            return false;
        values_.push_back(std::move(value));
        return true;
    }
    std::optional<Value> try_receive() {
        const detail::ordered order{senders_, receivers_};
        std::optional<Value> received;
        if (!values_.empty()) {
            received = std::move(values_.front());
            values_.pop_front();
        }
        if (!senders_.empty()) {
            // The sender that has waited longest moves up; without a queue its value is the one received.
            waiter& first = senders_.front();
            auto& value = *static_cast<Value*>(first.slot);
            if (received)
                values_.push_back(std::move(value));
            else
                received = std::move(value);
            first.handed = true;
            this_scheduler().signal(first);
        }
        return received;
    }
    /// Those who wait to send or to receive are told that it is closed. Closing twice is fine.
    void close() noexcept {
        const detail::ordered order{senders_, receivers_};
        closed_ = true;
        this_scheduler().signal_all(senders_);
        this_scheduler().signal_all(receivers_);
    }
    [[nodiscard]] bool closed() const noexcept {
        const detail::ordered order{senders_, receivers_};
        return closed_;
    }
    [[nodiscard]] std::size_t size() const noexcept {
        const detail::ordered order{senders_, receivers_};
        return values_.size();
    }
    /// For select() and coroutines.
    [[nodiscard]] wait_queue& senders() noexcept { return senders_; }
    [[nodiscard]] wait_queue& receivers() noexcept { return receivers_; }

private:
    std::size_t capacity_;
    bool closed_ = false;
    detail::ring<Value> values_;
    wait_queue senders_{"channel to have room"};
    wait_queue receivers_{"channel to have a value"};
};

}  // namespace halvm::fiber
