// SPDX-License-Identifier: BSD-3-Clause
// Coroutines on fibers. One fiber runs any number of them, a crew, in the order in which they can go on; one that waits
// (await.hpp) costs its frame and no stack.
//
//   fiber::coroutine<int> answer(channel<int>& from) { co_return (co_await fiber::co::receive(from)).value() + 1; }
//   const int value = fiber::run(answer(queue));
//
// What a coroutine does without co_await is done by its fiber: when it blocks, all of the crew wait for it.
#pragma once

#include <halvm/fiber/scheduler.hpp>

#include <boost/intrusive/list.hpp>

#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

namespace halvm::fiber {

[[noreturn]] void broken_rule(const char* rule, const char* what) noexcept;

template <class Value = void>
class coroutine;

namespace detail {

using coroutine_hook = boost::intrusive::list_member_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

/// Where a coroutine goes on; leaves the crew's list by itself when it is destroyed.
struct resumption {
    std::coroutine_handle<> where{};
    coroutine_hook hook{};
};

/// Of a coroutine: who goes on when it has ended, or the crew that it belongs to.
struct promise_base {
    struct at_end {
        static bool await_ready() noexcept { return false; }
        template <class Promise>
        static void await_suspend(std::coroutine_handle<Promise> ended) noexcept {
            ended.promise().over();
        }
        static void await_resume() noexcept {}
    };

    static std::suspend_always initial_suspend() noexcept { return {}; }
    static at_end final_suspend() noexcept { return {}; }
    void unhandled_exception() noexcept { failure = std::current_exception(); }
    inline void over() noexcept;

    resumption begin{};
    coroutine_hook members_hook{};
    std::coroutine_handle<> awaited_by{};
    crew* home = nullptr;
    bool owned = false;   ///< by its crew, which destroys it
    bool nested = false;  ///< runs inside the co_await of the one that awaits it
    std::exception_ptr failure{};
};

template <class Value>
struct promise : promise_base {
    coroutine<Value> get_return_object() noexcept;
    template <class From>
    void return_value(From&& from) {
        value.emplace(std::forward<From>(from));
    }
    Value take() { return std::move(*value); }

    std::optional<Value> value{};
};

template <>
struct promise<void> : promise_base {
    inline coroutine<void> get_return_object() noexcept;
    static void return_void() noexcept {}
    static void take() noexcept {}
};

}  // namespace detail

/// Owns a coroutine, which begins when it is awaited, run or started. Destroying it ends the coroutine where it waits.
template <class Value>
class [[nodiscard]] coroutine {
public:
    using promise_type = detail::promise<Value>;

    coroutine(coroutine&& other) noexcept : own_{std::exchange(other.own_, nullptr)} {}
    coroutine& operator=(coroutine&& other) noexcept {
        std::swap(own_, other.own_);
        return *this;
    }
    ~coroutine() {
        if (own_)
            own_.destroy();
    }

    // Awaiting it once runs it to its end and gives its value, or throws what it threw.
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> by) {
        promise_type& promise = own_.promise();
        promise.awaited_by = by;
        promise.nested = true;
        own_.resume();
        promise.nested = false;
        return !own_.done();
    }
    Value await_resume() { return result(); }

private:
    friend promise_type;
    friend class crew;
    template <class Result>
    friend Result run(coroutine<Result>);

    explicit coroutine(std::coroutine_handle<promise_type> own) noexcept : own_{own} {}

    Value result() {
        if (own_.promise().failure)
            std::rethrow_exception(std::move(own_.promise().failure));
        return own_.promise().take();
    }

    std::coroutine_handle<promise_type> own_;
};

/// Coroutines that one fiber runs.
class crew {
public:
    crew() = default;
    crew(const crew&) = delete;
    crew& operator=(const crew&) = delete;
    /// Ends those that have not ended where they wait. Panics when another's coroutine waits in it.
    ~crew() {
        const detail::ordered order{idle_, idle_outside_};
        while (!members_.empty()) {
            detail::promise_base& one = members_.front();
            members_.pop_front();
            if (one.owned)
                one.begin.where.destroy();
        }
        if (waiting_ != 0)
            broken_rule("destroyed while a coroutine waits that is not its own", "crew");
    }

    /// Takes it over; it begins behind those that can go on. Any fiber or coroutine may call it, at any time.
    void start(coroutine<> one) {
        auto own = std::exchange(one.own_, nullptr);
        own.promise().owned = true;
        add(own);
    }

    /// Blocks until all have ended, also those that are started meanwhile. Between one and its next turn every other
    /// coroutine that can go on has one, and so has every other fiber. Throws the first exception that one of those
    /// that were started has let out. Panics when it is running already.
    void run() {
        task& self = this_scheduler().current();
        if (running_)
            broken_rule("run a second time while it runs", "crew");
        struct restore {
            crew& own;
            task& self;
            crew* before = std::exchange(self.runs, &own);
            ~restore() {
                self.runs = before;
                own.running_ = false;
            }
        };
        {
            running_ = true;
            const restore at_end{*this, self};
            while (wait_until_ready()) {
                run_ready();
                this_scheduler().yield();
            }
        }
        if (failure_)
            std::rethrow_exception(std::exchange(failure_, nullptr));
    }

    // For awaitables (await.hpp).

    /// A coroutine has begun to wait, in the calling fiber; `outside` as a wait_queue says.
    void waits(bool outside) noexcept {
        const detail::ordered order{idle_, idle_outside_};
        ++waiting_;
        outside_ += outside;
    }
    /// Its wait has ended; it goes on in its turn.
    void goes_on(detail::resumption& one, bool outside) noexcept {
        const detail::ordered order{idle_, idle_outside_};
        forget(outside);
        ready_.push_back(one);
        auto& own = this_scheduler();
        static_cast<void>(own.signal(idle_) || own.signal(idle_outside_));
    }
    /// It is destroyed while it waits.
    void forget(bool outside) noexcept {
        const detail::ordered order{idle_, idle_outside_};
        --waiting_;
        outside_ -= outside;
    }

private:
    friend struct detail::promise_base;
    template <class Result>
    friend Result run(coroutine<Result>);

    using ready_list = boost::intrusive::list<
        detail::resumption,
        boost::intrusive::member_hook<detail::resumption, detail::coroutine_hook, &detail::resumption::hook>,
        boost::intrusive::constant_time_size<false>>;
    using member_list =
        boost::intrusive::list<detail::promise_base,
                               boost::intrusive::member_hook<detail::promise_base, detail::coroutine_hook,
                                                             &detail::promise_base::members_hook>,
                               boost::intrusive::constant_time_size<false>>;

    template <class Promise>
    void add(std::coroutine_handle<Promise> one) noexcept {
        const detail::ordered order{idle_, idle_outside_};
        detail::promise_base& promise = one.promise();
        promise.home = this;
        promise.begin.where = one;
        members_.push_back(promise);
        ++living_;
        ++waiting_;
        goes_on(promise.begin, false);
    }

    /// Blocks until one can go on; false when all have ended.
    bool wait_until_ready() noexcept {
        const detail::ordered order{idle_, idle_outside_};
        if (!ready_.empty())
            return true;
        if (living_ + waiting_ == 0)
            return false;
        detail::wait_in(outside_ != 0 ? idle_outside_ : idle_, {});
        return true;
    }

    /// Those that can go on now; what they make go on has its turn after the other fibers.
    void run_ready() {
        ready_list now;
        {
            const detail::ordered order{idle_, idle_outside_};
            now.swap(ready_);
        }
        // What is left, when a coroutine of another's making throws, keeps its turn.
        struct put_back {
            ready_list& from;
            crew& own;
            ~put_back() {
                const detail::ordered order{own.idle_, own.idle_outside_};
                own.ready_.splice(own.ready_.begin(), from);
            }
        } const rest{now, *this};
        while (!now.empty()) {
            next_ = now.front().where;
            now.pop_front();
            // A coroutine that ends goes on in the one that awaits it from here, not from the depth of its own end.
            while (next_)
                std::exchange(next_, nullptr).resume();
            if (ended_)
                std::exchange(ended_, nullptr).destroy();
        }
    }

    void ended(detail::promise_base& one) noexcept {
        const detail::ordered order{idle_, idle_outside_};
        members_.erase(members_.iterator_to(one));
        --living_;
        if (!one.owned)
            return;
        if (one.failure && !failure_)
            failure_ = one.failure;
        ended_ = one.begin.where;
    }

    ready_list ready_;
    member_list members_;
    std::size_t living_ = 0;
    std::size_t waiting_ = 0;
    std::size_t outside_ = 0;
    std::coroutine_handle<> next_{};
    std::coroutine_handle<> ended_{};
    std::exception_ptr failure_{};
    bool running_ = false;
    wait_queue idle_{"its coroutines"};
    wait_queue idle_outside_{"its coroutines", true};
};

inline void detail::promise_base::over() noexcept {
    if (nested)
        return;
    if (home != nullptr)
        home->ended(*this);
    else if (crew* const own = this_scheduler().current().runs; own != nullptr)
        own->next_ = awaited_by;
    else
        awaited_by.resume();
}

template <class Value>
coroutine<Value> detail::promise<Value>::get_return_object() noexcept {
    return coroutine<Value>{std::coroutine_handle<promise>::from_promise(*this)};
}
inline coroutine<void> detail::promise<void>::get_return_object() noexcept {
    return coroutine<void>{std::coroutine_handle<promise>::from_promise(*this)};
}

/// Runs the coroutine on the calling fiber, and those that it starts in its crew. Blocks until it has ended; returns
/// its value, or throws what it threw.
template <class Value>
Value run(coroutine<Value> one) {
    crew alone;
    coroutine<Value> own = std::move(one);  // ends before its crew, whatever is thrown
    alone.add(own.own_);
    alone.run();
    return own.result();
}

}  // namespace halvm::fiber
