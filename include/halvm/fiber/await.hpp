// SPDX-License-Identifier: BSD-3-Clause
// What a coroutine awaits: every wait of fibers, by the same names, with the same limits, results and errors.
//
//   auto packet = co_await fiber::co::receive(queue, fiber::within(10ms));
//   auto held = co_await fiber::co::lock(mutex);
//
// The coroutine stands in the same queue as fibers do, in its turn. It goes on in the crew of the fiber that called
// co_await (coroutine.hpp); any type of coroutine may await, as long as it runs in one. A coroutine that is destroyed
// while it waits leaves the queue; what was handed to it before it could go on goes back, except for a value, which is
// lost with it.
#pragma once

#include <halvm/fiber/channel.hpp>
#include <halvm/fiber/clock.hpp>
#include <halvm/fiber/condition.hpp>
#include <halvm/fiber/coroutine.hpp>
#include <halvm/fiber/errors.hpp>
#include <halvm/fiber/mutex.hpp>
#include <halvm/fiber/select.hpp>
#include <halvm/fiber/spawn.hpp>

#include <algorithm>
#include <concepts>
#include <coroutine>
#include <cstddef>
#include <optional>
#include <stop_token>
#include <utility>

namespace halvm::fiber {

namespace detail {

/// What is waited for.
template <class Operation>
concept Awaited = requires(Operation& one, wake how, waiter* fired) {
    // Whether it has come already; then it is done. Never blocks.
    { one.ready() } -> std::same_as<bool>;
    // The first of the places to wait in.
    { one.stand() } -> std::same_as<waiter&>;
    // When it comes by itself.
    { one.deadline() } -> std::same_as<instant>;
    // What co_await returns. `fired` is null when the wait was none.
    one.finish(how, fired);
    // The coroutine is destroyed: after the deed was done for it, or while it waits.
    one.give_back();
    one.withdraw();
};

/// Of operations that wait in one place, for no time of their own.
struct one_place {
    [[nodiscard]] static instant deadline() noexcept { return never; }
    static void give_back() noexcept {}
    static void withdraw() noexcept {}
    waiter& stand_in(wait_queue& queue, void* slot = nullptr) noexcept {
        place.queue = &queue;
        place.slot = slot;
        return place;
    }

    waiter place{};
};

/// The awaitable: one wait of one coroutine. Neither copied nor moved.
template <Awaited Operation>
class [[nodiscard]] waiting : sleeper {
public:
    template <class... Arguments>
    explicit waiting(const wait_limit& limit, Arguments&&... arguments)
        : limit_{limit}, operation_{std::forward<Arguments>(arguments)...} {}
    waiting(const waiting&) = delete;
    waiting& operator=(const waiting&) = delete;
    ~waiting() {
        if (stage_ == stage::waits) {
            resume = [](sleeper&) noexcept {};
            this_scheduler().end_wait(*this, wake::stopped, nullptr);
            home_->forget(outside_);
            operation_.withdraw();
        } else if (stage_ == stage::woken) {
            if (how == wake::signalled)
                operation_.give_back();
            else
                operation_.withdraw();
        }
    }

    bool await_ready() { return operation_.ready(); }
    bool await_suspend(std::coroutine_handle<> who) {
        auto& own = this_scheduler();
        home_ = own.current().runs;
        if (home_ == nullptr)
            broken_rule("awaited by a coroutine that no crew runs", "wait");
        if (limit_.stop.stop_requested()) {
            how = wake::stopped;
            return false;
        }
        if (limit_.deadline != never && limit_.deadline <= own.now()) {
            how = wake::timed_out;
            return false;
        }
        waiter& first = operation_.stand();
        for (const waiter* place = &first; place != nullptr; place = place->sibling)
            outside_ = outside_ || place->queue->outside();
        next_.where = who;
        resume = go_on;
        stage_ = stage::waits;
        const instant deadline = std::min(limit_.deadline, operation_.deadline());
        if constexpr (tells_order) {
            const ordered order{static_cast<sleeper&>(*this)};
            const ordered_wait before{first};
            own.begin_wait_unseen(*this, first, deadline);
        } else {
            own.begin_wait(*this, first, deadline);
        }
        home_->waits(outside_);
        if (limit_.stop.stop_possible())
            on_stop_.emplace(limit_.stop, stopper{*this});
        return true;
    }
    auto await_resume() {
        stage_ = stage::over;
        return operation_.finish(how, fired);
    }

private:
    enum class stage : unsigned char { fresh, waits, woken, over };

    /// Runs in the fiber that asks to stop.
    struct stopper {
        waiting& self;
        void operator()() const noexcept {
            if (self.stage_ == stage::waits)
                this_scheduler().end_wait(self, wake::stopped, nullptr);
        }
    };

    static void go_on(sleeper& one) noexcept {
        const ordered order{one};
        auto& self = static_cast<waiting&>(one);
        self.stage_ = stage::woken;
        self.home_->goes_on(self.next_, self.outside_);
    }

    wait_limit limit_;
    crew* home_ = nullptr;
    stage stage_ = stage::fresh;
    bool outside_ = false;
    resumption next_{};
    Operation operation_;
    std::optional<std::stop_callback<stopper>> on_stop_{};
};

struct sleep_operation : one_place {
    static bool ready() noexcept { return false; }
    waiter& stand() noexcept { return stand_in(nobody); }
    static bool finish(wake how, waiter*) noexcept { return how != wake::stopped; }
    wait_queue nobody{"time"};
};

struct queue_operation : one_place {
    explicit queue_operation(wait_queue& in) noexcept : queue{in} {}
    static bool ready() noexcept { return false; }
    waiter& stand() noexcept { return stand_in(queue); }
    static bool finish(wake how, waiter*) noexcept { return how == wake::signalled; }
    wait_queue& queue;
};

/// An event, a latch or a wait group.
template <class Condition>
struct condition_operation : one_place {
    explicit condition_operation(Condition& of) noexcept : what{of} {}
    bool ready() noexcept { return what.try_wait(); }
    waiter& stand() noexcept { return stand_in(what.queue()); }
    static bool finish(wake how, waiter*) noexcept { return how == wake::signalled; }
    Condition& what;
};

struct acquire_operation : one_place {
    explicit acquire_operation(semaphore& of) noexcept : from{of} {}
    bool ready() noexcept { return from.try_acquire(); }
    waiter& stand() noexcept { return stand_in(from.queue()); }
    static bool finish(wake how, waiter*) noexcept { return how == wake::signalled; }
    void give_back() noexcept { from.release(); }
    semaphore& from;
};

/// Locks belong to a fiber by its address, and to coroutines by this one: who holds one has a `held`.
struct lock_access {
    static constexpr char coroutine = 0;

    static wait_queue& queue(mutex& one) noexcept { return one.waiting_; }
    static bool try_take(mutex& one, long) noexcept {
        const ordered order{one.waiting_};
        if (one.owner_ != nullptr)
            return false;
        one.owner_ = &coroutine;
        return true;
    }
    static void taken(mutex& one, long) noexcept {
        const ordered order{one.waiting_};
        one.owner_ = &coroutine;
    }
    static void given_up(mutex&) noexcept {}
    static void unlock(mutex& one, long) noexcept {
        const ordered order{one.waiting_};
        one.hand_over();
    }
    static mutex& inner(recursive_mutex& one) noexcept { return one.inner_; }

    static constexpr long writer = shared_mutex::writer;
    static constexpr long reader = shared_mutex::reader;
    static wait_queue& queue(shared_mutex& one) noexcept { return one.waiting_; }
    static bool try_take(shared_mutex& one, long kind) noexcept {
        const ordered order{one.waiting_};
        if (!one.waiting_.empty() || !one.free_for(kind))
            return false;
        one.holders_ += kind;
        taken(one, kind);
        return true;
    }
    static void taken(shared_mutex& one, long kind) noexcept {
        const ordered order{one.waiting_};
        if (kind == writer)
            one.writing_ = &coroutine;
    }
    static void given_up(shared_mutex& one) noexcept {
        const ordered order{one.waiting_};
        one.admit();
    }
    static void unlock(shared_mutex& one, long kind) noexcept {
        const ordered order{one.waiting_};
        if (kind == writer)
            one.end_writing();
        else
            one.unlock_shared();
    }
};

template <class Mutex>
struct lock_operation;

}  // namespace detail

/// A lock that a coroutine holds, given up when this is destroyed; or none.
template <class Mutex>
class [[nodiscard]] held {
public:
    held() noexcept = default;
    held(held&& other) noexcept : one_{std::exchange(other.one_, nullptr)}, kind_{other.kind_} {}
    held& operator=(held&& other) noexcept {
        std::swap(one_, other.one_);
        std::swap(kind_, other.kind_);
        return *this;
    }
    ~held() {
        if (one_ != nullptr)
            unlock();
    }
    explicit operator bool() const noexcept { return one_ != nullptr; }
    /// Pre: there is one.
    void unlock() noexcept { detail::lock_access::unlock(*std::exchange(one_, nullptr), kind_); }

private:
    friend struct detail::lock_operation<Mutex>;
    held(Mutex& one, long kind) noexcept : one_{&one}, kind_{kind} {}

    Mutex* one_ = nullptr;
    long kind_ = 0;
};

namespace detail {

template <class Mutex>
struct lock_operation : one_place {
    lock_operation(Mutex& of, long as) noexcept : one{of}, kind{as} {}
    /// To lock again what `before` held.
    explicit lock_operation(const held<Mutex>& before) noexcept : one{*before.one_}, kind{before.kind_} {}
    bool ready() noexcept { return lock_access::try_take(one, kind); }
    waiter& stand() noexcept { return stand_in(lock_access::queue(one), &kind); }
    held<Mutex> finish(wake how, waiter*) noexcept {
        if (how == wake::signalled) {
            lock_access::taken(one, kind);
            return {one, kind};
        }
        lock_access::given_up(one);
        return {};
    }
    void give_back() noexcept { lock_access::unlock(one, kind); }
    void withdraw() noexcept { lock_access::given_up(one); }
    Mutex& one;
    long kind;
};

struct barrier_access : one_place {
    explicit barrier_access(barrier& of) noexcept : at{of} {}
    bool ready() noexcept { return at.arrive(); }
    waiter& stand() noexcept {
        const ordered order{at.waiting_};
        round = at.round_;
        stood = true;
        return stand_in(at.waiting_);
    }
    result<bool> finish(wake how, waiter* fired) {
        const ordered order{at.waiting_};
        if (how != wake::signalled && at.take_back(stood ? round : at.round_))
            return gave_up(how, "wait at a barrier");
        return how == wake::signalled && fired == nullptr;
    }
    void withdraw() noexcept { at.take_back(round); }
    barrier& at;
    std::size_t round = 0;
    bool stood = false;
};

struct handle_access : one_place {
    template <class Value>
    explicit handle_access(handle<Value>& of) noexcept : ending{of.checked("wait")} {
        if (&ending == &this_scheduler().current())
            broken_rule("joined by itself", "fiber");
    }
    bool ready() const noexcept { return ending.state == task_state::finished; }
    waiter& stand() noexcept { return stand_in(ending.joiners); }
    static bool finish(wake how, waiter*) noexcept { return how == wake::signalled; }
    task& ending;
};

template <class Value>
struct join_operation : handle_access {
    explicit join_operation(handle<Value>& of) noexcept : handle_access{of}, joined{of} {}
    Value finish(wake, waiter*) { return joined.join(); }
    handle<Value>& joined;
};

template <class Value>
struct receive_operation : one_place {
    explicit receive_operation(channel<Value>& of) noexcept : from{of} {}
    bool ready() {
        received = from.try_receive();
        return received || from.closed();
    }
    waiter& stand() noexcept { return stand_in(from.receivers(), &received); }
    result<Value> finish(wake how, waiter*) {
        if (how != wake::signalled)
            return gave_up(how, "receive from a channel");
        if (!received)
            return was_closed("receive from a channel");
        return std::move(*received);
    }
    channel<Value>& from;
    std::optional<Value> received{};
};

template <class Value>
struct send_operation : one_place {
    send_operation(channel<Value>& of, Value&& what) : to{of}, value{std::move(what)} {}
    bool ready() {
        sent = to.try_send(value);
        return sent || to.closed();
    }
    waiter& stand() noexcept { return stand_in(to.senders(), &value); }
    result<void> finish(wake how, waiter*) {
        if (how != wake::signalled)
            return gave_up(how, "send to a channel");
        if (!sent && !place.handed)
            return was_closed("send to a channel");
        return {};
    }
    channel<Value>& to;
    Value value;
    bool sent = false;
};

template <class Value>
struct take_operation : one_place {
    explicit take_operation(mvar<Value>& of) noexcept : from{of} {}
    bool ready() {
        taken = from.try_take();
        return taken.has_value();
    }
    waiter& stand() noexcept { return stand_in(from.takers(), &taken); }
    result<Value> finish(wake how, waiter*) {
        if (how != wake::signalled)
            return gave_up(how, "take from an mvar");
        return std::move(*taken);
    }
    mvar<Value>& from;
    std::optional<Value> taken{};
};

template <class Value>
struct read_operation : one_place {
    explicit read_operation(mvar<Value>& of) noexcept : from{of} {}
    bool ready() {
        const ordered order{from.readers()};
        if (from.value() != nullptr)
            copied = *from.value();
        return copied.has_value();
    }
    waiter& stand() noexcept { return stand_in(from.readers(), &copied); }
    result<Value> finish(wake how, waiter*) {
        if (how != wake::signalled)
            return gave_up(how, "read an mvar");
        return std::move(*copied);
    }
    mvar<Value>& from;
    std::optional<Value> copied{};
};

template <class Value>
struct put_operation : one_place {
    put_operation(mvar<Value>& of, Value&& what) : to{of}, value{std::move(what)} {}
    bool ready() { return to.try_put(value); }
    waiter& stand() noexcept { return stand_in(to.putters(), &value); }
    result<void> finish(wake how, waiter*) {
        if (how != wake::signalled)
            return gave_up(how, "put into an mvar");
        return {};
    }
    mvar<Value>& to;
    Value value;
};

template <Selectable... Cases>
struct select_operation : selection<Cases...> {
    using selection<Cases...>::selection;
    static void give_back() noexcept {}
    static void withdraw() noexcept {}
};

}  // namespace detail

namespace co {

/// As fiber::sleep().
inline auto sleep(const wait_limit& limit) { return detail::waiting<detail::sleep_operation>{limit}; }
/// In any queue; false when the limit came first.
inline auto wait(wait_queue& queue, const wait_limit& limit = {}) {
    return detail::waiting<detail::queue_operation>{limit, queue};
}
/// For an event, a latch, or a wait group; false when the limit came first.
template <class Condition>
requires requires(Condition& one) {
    { one.try_wait() } -> std::same_as<bool>;
    { one.queue() } -> std::same_as<wait_queue&>;
}
auto wait(Condition& one, const wait_limit& limit = {}) {
    return detail::waiting<detail::condition_operation<Condition>>{limit, one};
}
/// Until the fiber has ended; false when the limit came first.
template <class Value>
auto wait(handle<Value>& one, const wait_limit& limit = {}) {
    return detail::waiting<detail::handle_access>{limit, one};
}
/// As handle::join().
template <class Value>
auto join(handle<Value>& one) {
    return detail::waiting<detail::join_operation<Value>>{wait_limit{}, one};
}
/// False when the limit came first.
inline auto acquire(semaphore& from, const wait_limit& limit = {}) {
    return detail::waiting<detail::acquire_operation>{limit, from};
}
/// As barrier::arrive_and_wait() with a limit.
inline auto arrive_and_wait(barrier& at, const wait_limit& limit = {}) {
    return detail::waiting<detail::barrier_access>{limit, at};
}

/// Gives a `held`, which is empty when the limit came first. A coroutine that locks what it holds waits for itself.
inline auto lock(mutex& one, const wait_limit& limit = {}) {
    return detail::waiting<detail::lock_operation<mutex>>{limit, one, 0L};
}
/// The same; for a coroutine it is not recursive.
inline auto lock(recursive_mutex& one, const wait_limit& limit = {}) {
    return lock(detail::lock_access::inner(one), limit);
}
inline auto lock(shared_mutex& one, const wait_limit& limit = {}) {
    return detail::waiting<detail::lock_operation<shared_mutex>>{limit, one, detail::lock_access::writer};
}
inline auto lock_shared(shared_mutex& one, const wait_limit& limit = {}) {
    return detail::waiting<detail::lock_operation<shared_mutex>>{limit, one, detail::lock_access::reader};
}
/// As condition_variable::wait(). Pre: `lock` is held.
template <class Mutex>
coroutine<bool> wait(condition_variable& one, held<Mutex>& lock, wait_limit limit = {}) {
    detail::waiting<detail::lock_operation<Mutex>> again{wait_limit{}, lock};
    lock.unlock();
    const bool notified = co_await wait(one.queue(), limit);
    lock = co_await again;
    co_return notified;
}
template <class Mutex, std::predicate Predicate>
coroutine<bool> wait(condition_variable& one, held<Mutex>& lock, Predicate true_now, wait_limit limit = {}) {
    bool notified = true;
    while (notified && !true_now())
        notified = co_await wait(one, lock, limit);
    co_return notified || true_now();
}

/// As the members of channel and mvar of these names.
template <class Value>
auto receive(channel<Value>& from, const wait_limit& limit = {}) {
    return detail::waiting<detail::receive_operation<Value>>{limit, from};
}
template <class Value>
auto send(channel<Value>& to, std::type_identity_t<Value> value, const wait_limit& limit = {}) {
    return detail::waiting<detail::send_operation<Value>>{limit, to, std::move(value)};
}
template <class Value>
auto take(mvar<Value>& from, const wait_limit& limit = {}) {
    return detail::waiting<detail::take_operation<Value>>{limit, from};
}
template <std::copyable Value>
auto read(mvar<Value>& from, const wait_limit& limit = {}) {
    return detail::waiting<detail::read_operation<Value>>{limit, from};
}
template <class Value>
auto put(mvar<Value>& to, std::type_identity_t<Value> value, const wait_limit& limit = {}) {
    return detail::waiting<detail::put_operation<Value>>{limit, to, std::move(value)};
}

/// As fiber::select().
template <Selectable... Cases>
auto select(const wait_limit& limit, Cases... cases) {
    return detail::waiting<detail::select_operation<Cases...>>{limit, limit.deadline, std::move(cases)...};
}

}  // namespace co

}  // namespace halvm::fiber
