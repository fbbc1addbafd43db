// SPDX-License-Identifier: BSD-3-Clause
// Starting a fiber, and the handle on it.
#pragma once

#include <halvm/fiber/scheduler.hpp>

#include <concepts>
#include <exception>
#include <functional>
#include <optional>
#include <stop_token>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

namespace halvm::fiber {

struct options {
    /// For listings, reports and panics; cut to 23 bytes.
    std::string_view name = "fiber";
    /// Bytes, rounded up to a power of two; from 2 KiB packed or 4 KiB guarded, to 1 GiB. What the fiber's own data
    /// and, in a domain, its thread_local objects need comes out of it.
    std::size_t stack = std::size_t{64} << 10;
    /// A page below the stack that nobody can touch. Without it stacks are packed, an overflow is noticed when the
    /// fiber next yields or waits, and until then has destroyed a neighbour's data.
    bool guarded = true;
    /// A service of the library: other fibers that all wait for each other are a deadlock although this one waits for
    /// a device.
    bool service = false;
};

template <class Value>
class handle;

namespace detail {

/// A task with room for what its function returned or threw.
template <class Value>
struct outcome : task {
    using stored = std::conditional_t<std::is_void_v<Value>, std::monostate, Value>;
    std::optional<stored> value;
    std::exception_ptr failure;
};

/// The whole of a fiber's own data; it lies at the top of its stack.
template <class Value, class Function>
struct running : outcome<Value> {
    explicit running(Function&& function) : function_{std::move(function)} {
        this->body = &running::run;
        this->destroy = &running::end;
        if constexpr (std::invocable<Function&, std::stop_token>)
            this->stop = std::stop_source{};
    }

    static void run(task& base) noexcept {
        auto& self = static_cast<running&>(base);
        try {
            if constexpr (std::is_void_v<Value>) {
                self.call();
                self.value.emplace();
            } else {
                self.value.emplace(self.call());
            }
        } catch (...) {
            // Nobody can be told any more when the fiber was detached.
            if (self.released)
                std::terminate();
            self.failure = std::current_exception();
        }
        // Here and not when the stack is given back, which happens in some other fiber: a destructor may wait.
        self.function_.reset();
        if (self.released)
            self.value.reset();
    }

    Value call() {
        if constexpr (std::invocable<Function&, std::stop_token>)
            return std::invoke(*function_, this->stop.get_token());
        else
            return std::invoke(*function_);
    }

    static void end(task& base) noexcept { static_cast<running&>(base).~running(); }

    std::optional<Function> function_;
};

/// A stack with `size` bytes taken off its top, in `place`. Panics when `wanted` is out of its range.
/// Errors: std::bad_alloc when there is no memory for the stack.
stack_memory take_place(const options& wanted, std::size_t size, std::size_t alignment, void*& place);

/// Gives a stack back whose task could not be made.
void abandon_place(const stack_memory& stack) noexcept;

/// Waits until the fiber has ended. Panics when it is the calling one.
wake wait_for_end(task& one, const wait_limit& limit) noexcept;

/// Ends the program as an exception does that nobody catches.
[[noreturn]] inline void nobody_joins(const std::exception_ptr& failure) noexcept { std::rethrow_exception(failure); }

struct handle_access;

[[noreturn]] void no_such_fiber(const char* attempted) noexcept;

template <class Function>
struct value_of : std::invoke_result<Function&> {};
template <class Function>
requires std::invocable<Function&, std::stop_token>
struct value_of<Function> : std::invoke_result<Function&, std::stop_token> {
};

}  // namespace detail

/// Owns a fiber until it is joined or detached. Destroying a handle asks the fiber to stop and waits for its end; an
/// exception that nobody joins ends the program, as it does in a std::thread.
template <class Value>
class [[nodiscard]] handle {
public:
    handle() noexcept = default;
    handle(handle&& other) noexcept : one_{std::exchange(other.one_, nullptr)} {}
    handle& operator=(handle&& other) noexcept {
        if (this != &other) {
            end();
            one_ = std::exchange(other.one_, nullptr);
        }
        return *this;
    }
    ~handle() { end(); }

    /// False once the fiber was joined or detached, and for a handle that was moved from.
    [[nodiscard]] bool joinable() const noexcept { return one_ != nullptr; }

    /// Blocks until the fiber has ended; returns what its function returned, or throws what it threw.
    /// Pre: joinable(), no other fiber is in join() already, and it is another fiber; else panics.
    Value join() {
        auto& one = checked("join");
        one_ = nullptr;
        detail::wait_for_end(one, {});
        struct release_at_end {
            task& one;
            ~release_at_end() { this_scheduler().release(one); }
        } releasing{one};
        if (one.failure)
            std::rethrow_exception(std::move(one.failure));
        if constexpr (!std::is_void_v<Value>)
            return std::move(*one.value);
    }

    /// Blocks until the fiber has ended or the limit comes; true when it has ended, and join() will not block.
    bool wait(const wait_limit& limit) { return detail::wait_for_end(checked("wait"), limit) == wake::signalled; }

    /// Lets the fiber run on by itself. When it has thrown already, nobody can be told of that any more, and the
    /// program ends.
    void detach() {
        auto& one = checked("detach");
        one_ = nullptr;
        if (one.failure)
            detail::nobody_joins(one.failure);
        this_scheduler().release(one);
    }

    /// Asks the fiber to stop; it is told when its function takes a std::stop_token. False when it was asked before,
    /// or cannot be told.
    bool request_stop() { return checked("request_stop").stop.request_stop(); }

private:
    template <class Function>
    friend auto spawn(Function&&, const options&);
    friend struct detail::handle_access;

    explicit handle(detail::outcome<Value>& one) noexcept : one_{&one} {}

    detail::outcome<Value>& checked(const char* attempted) const noexcept {
        if (one_ == nullptr)
            detail::no_such_fiber(attempted);
        return *one_;
    }

    void end() noexcept {
        if (joinable()) {
            request_stop();
            wait({});
            if (auto& one = checked("join"); one.failure)
                detail::nobody_joins(one.failure);
            join();
        }
    }

    detail::outcome<Value>* one_ = nullptr;
};

/// Starts `function` as a fiber behind those that can run now. It is called with a std::stop_token when it takes one.
/// Never blocks. Errors: std::bad_alloc when there is no memory for its stack.
template <class Function>
auto spawn(Function&& function, const options& wanted = {}) {
    using stored = std::decay_t<Function>;
    using value = typename detail::value_of<stored>::type;
    using running = detail::running<value, stored>;
    static_assert(!std::is_reference_v<value>, "a fiber returns a value");

    void* place = nullptr;
    const stack_memory stack = detail::take_place(wanted, sizeof(running), alignof(running), place);
    running* one;
    try {
        one = ::new (place) running{stored(std::forward<Function>(function))};
    } catch (...) {
        detail::abandon_place(stack);
        throw;
    }
    one->stack = stack;
    one->service = wanted.service;
    one->set_name(wanted.name);
    this_scheduler().start(*one);
    return handle<value>{*one};
}

/// Lets every other runnable fiber run once.
inline void yield() noexcept { this_scheduler().yield(); }

/// The name of the calling fiber.
inline std::string_view name() noexcept { return this_scheduler().current().name(); }

}  // namespace halvm::fiber
