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
#include <halvm/fiber/errors.hpp>
#include <halvm/result.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <optional>
#include <tuple>
#include <utility>

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

namespace detail {

/// Cases, and the places where a fiber or a coroutine waits for them.
template <Selectable... Cases>
requires(sizeof...(Cases) > 0) class selection {
public:
    selection(instant limit, Cases... cases) : cases_{std::move(cases)...}, limit_{limit} {}

    /// Does the first that has come already.
    bool ready() {
        chosen_ = 0;
        return std::apply([this](auto&... each) { return ((each.ready() || (++chosen_, false)) || ...); }, cases_);
    }
    waiter& stand() {
        std::size_t index = 0;
        const auto prepare = [&](auto& one) {
            one.prepare(places_[index]);
            if (one.deadline() < deadline_) {
                deadline_ = one.deadline();
                chosen_ = index;
            }
            ++index;
        };
        std::apply([&](auto&... each) { (prepare(each), ...); }, cases_);
        waiter* first = nullptr;
        for (waiter& place : places_)
            if (place.queue != nullptr) {
                place.sibling = first;
                first = &place;
            }
        return first == nullptr ? nowhere_ : *first;
    }
    /// The earliest time among the cases.
    [[nodiscard]] instant deadline() const noexcept { return deadline_; }

    /// `fired` is the place that was signalled; null when ready() has found one.
    result<std::size_t> finish(wake how, const waiter* fired) {
        if (how == wake::timed_out && deadline_ != never && deadline_ <= limit_)
            return chosen_;
        if (how != wake::signalled)
            return gave_up(how, "wait for one of several");
        if (fired == nullptr)
            return chosen_;
        chosen_ = static_cast<std::size_t>(fired - places_.data());
        std::size_t index = 0;
        const auto finish = [&](auto& one) {
            if (index++ == chosen_)
                one.finish(places_[chosen_]);
        };
        std::apply([&](auto&... each) { (finish(each), ...); }, cases_);
        return chosen_;
    }

private:
    std::tuple<Cases...> cases_;
    std::array<waiter, sizeof...(Cases)> places_{};
    wait_queue nobody_{"time"};
    waiter nowhere_{.queue = &nobody_};
    instant limit_;
    instant deadline_ = never;
    std::size_t chosen_ = 0;
};

}  // namespace detail

/// Blocks until one of the cases comes, does that one and no other, and returns its index. Of several that have come
/// already it is the one that is named first.
/// Errors: std::errc::timed_out and operation_canceled by the limit.
template <Selectable... Cases>
result<std::size_t> select(const wait_limit& limit, Cases... cases) {
    detail::selection<Cases...> all{limit.deadline, std::move(cases)...};
    if (all.ready())
        return all.finish(wake::signalled, nullptr);
    auto& own = this_scheduler();
    waiter& first = all.stand();
    const wake how = own.wait_any(first, {std::min(all.deadline(), limit.deadline), limit.stop});
    return all.finish(how, own.current().fired);
}

}  // namespace halvm::fiber
