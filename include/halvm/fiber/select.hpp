// SPDX-License-Identifier: BSD-3-Clause
// Waiting for whichever comes first of several things:
//
//   std::optional<packet> packet;
//   const auto which = fiber::select({}, fiber::receiving(queue, packet), fiber::happening(closing), fiber::after(1s));
//   if (which && *which == 0) ...
#pragma once

#include <halvm/contract.hpp>
#include <halvm/fiber/channel.hpp>
#include <halvm/fiber/clock.hpp>
#include <halvm/fiber/condition.hpp>
#include <halvm/result.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <optional>

namespace halvm::fiber {

/// One of the things that select() waits for; made by the functions below.
template <class Case>
concept Selectable = requires(Case& one, waiter& place) {
    // Whether it has come already; then it is done. Never blocks.
    { one.ready() } -> std::same_as<bool>;
    // Fills in where to wait for it; nowhere for a time.
    one.prepare(place);
    // It has come to a fiber that waited in `place`.
    one.finish(place);
    // When it comes by itself.
    { one.deadline() }
    noexcept->std::same_as<instant>;
};

namespace detail {

template <class Value>
struct receive_case {
    channel<Value>& from;
    std::optional<Value>& into;

    bool ready() {
        into = from.try_receive();
        return into || from.closed();
    }
    void prepare(waiter& place) noexcept {
        place.queue = &from.receivers();
        place.slot = &into;
    }
    void finish(waiter&) noexcept {}
    instant deadline() noexcept { return never; }
};

template <class Value>
struct send_case {
    channel<Value>& to;
    std::optional<Value>& value;

    bool ready() {
        Expects(value.has_value());
        if (to.try_send(*value))
            value.reset();
        return !value || to.closed();
    }
    void prepare(waiter& place) noexcept {
        place.queue = &to.senders();
        place.slot = &*value;
    }
    void finish(waiter& place) noexcept {
        if (place.handed)
            value.reset();
    }
    instant deadline() noexcept { return never; }
};

template <class Value>
struct take_case {
    mvar<Value>& from;
    std::optional<Value>& into;

    bool ready() {
        into = from.try_take();
        return into.has_value();
    }
    void prepare(waiter& place) noexcept {
        place.queue = &from.takers();
        place.slot = &into;
    }
    void finish(waiter&) noexcept {}
    instant deadline() noexcept { return never; }
};

struct event_case {
    event& what;

    bool ready() noexcept { return what.is_set(); }
    void prepare(waiter& place) noexcept { place.queue = &what.queue(); }
    void finish(waiter&) noexcept {}
    instant deadline() noexcept { return never; }
};

struct time_case {
    instant when;

    bool ready() noexcept { return when <= this_scheduler().now(); }
    void prepare(waiter&) noexcept {}
    void finish(waiter&) noexcept {}
    instant deadline() noexcept { return when; }
};

}  // namespace detail

/// A value from the channel, into `into`; that is empty when the channel was closed, or another case came first.
template <class Value>
detail::receive_case<Value> receiving(channel<Value>& from, std::optional<Value>& into) noexcept {
    into.reset();
    return {from, into};
}
/// `value` to the channel. It is empty once it was sent, and still there when the channel was closed, or another case
/// came first. Pre: there is a value.
template <class Value>
detail::send_case<Value> sending(channel<Value>& to, std::optional<Value>& value) noexcept {
    return {to, value};
}
/// The value of the mvar, into `into`; that is empty when another case came first.
template <class Value>
detail::take_case<Value> taking(mvar<Value>& from, std::optional<Value>& into) noexcept {
    into.reset();
    return {from, into};
}
inline detail::event_case happening(event& what) noexcept { return {what}; }
template <class Rep, class Period>
detail::time_case after(std::chrono::duration<Rep, Period> duration) noexcept {
    return {instant_after(duration)};
}

/// Blocks until one of the cases comes, does that one and no other, and returns its index. Of several that have come
/// already it is the one that is named first.
/// Errors: std::errc::timed_out and operation_canceled by the limit.
template <Selectable... Cases>
requires(sizeof...(Cases) > 0) result<std::size_t> select(const wait_limit& limit, Cases... cases) {
    std::size_t index = 0;
    if (((cases.ready() || (++index, false)) || ...))
        return index;

    std::array<waiter, sizeof...(Cases)> places{};
    instant earliest = never;
    std::size_t timed = 0;
    index = 0;
    const auto prepare = [&](auto& one) {
        one.prepare(places[index]);
        if (one.deadline() < earliest) {
            earliest = one.deadline();
            timed = index;
        }
        ++index;
    };
    (prepare(cases), ...);
    wait_queue nobody{"time"};
    waiter nowhere{.queue = &nobody};
    waiter* first = nullptr;
    for (waiter& place : places)
        if (place.queue != nullptr) {
            place.sibling = first;
            first = &place;
        }

    auto& own = this_scheduler();
    const wake how =
        own.wait_any(first == nullptr ? nowhere : *first, {std::min(earliest, limit.deadline), limit.stop});
    if (how == wake::timed_out && earliest != never && earliest <= limit.deadline)
        return timed;
    if (how != wake::signalled)
        return detail::gave_up(how, "wait for one of several");
    const auto chosen = static_cast<std::size_t>(own.current().fired - places.data());
    index = 0;
    const auto finish = [&](auto& one) {
        if (index++ == chosen)
            one.finish(places[chosen]);
    };
    (finish(cases), ...);
    return chosen;
}

}  // namespace halvm::fiber
