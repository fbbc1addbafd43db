// SPDX-License-Identifier: BSD-3-Clause
// feature: coroutines
#include "report.hpp"

#include <coroutine>
#include <exception>
#include <stdexcept>
#include <utility>

namespace {

class generator {
public:
    struct promise_type {
        int value = 0;
        std::exception_ptr failure;

        generator get_return_object() { return generator{std::coroutine_handle<promise_type>::from_promise(*this)}; }
        std::suspend_always initial_suspend() noexcept { return {}; }
        std::suspend_always final_suspend() noexcept { return {}; }
        std::suspend_always yield_value(int next) noexcept {
            value = next;
            return {};
        }
        void return_void() noexcept {}
        void unhandled_exception() { failure = std::current_exception(); }
    };

    explicit generator(std::coroutine_handle<promise_type> handle) : handle_{handle} {}
    generator(generator&& other) noexcept : handle_{std::exchange(other.handle_, nullptr)} {}
    ~generator() {
        if (handle_)
            handle_.destroy();
    }

    bool next() {
        handle_.resume();
        if (handle_.promise().failure)
            std::rethrow_exception(handle_.promise().failure);
        return !handle_.done();
    }
    [[nodiscard]] int value() const { return handle_.promise().value; }

private:
    std::coroutine_handle<promise_type> handle_;
};

generator fibonacci(int count) {
    int before = 0;
    int now = 1;
    for (; count != 0; --count) {
        co_yield now;
        now += std::exchange(before, now);
    }
    throw std::runtime_error{"no more"};
}

}  // namespace

int halvm_main() {
    generator numbers = fibonacci(10);
    int last = 0;
    for (int i = 0; i != 10; ++i) {
        HALVM_CHECK(numbers.next());
        last = numbers.value();
    }
    HALVM_CHECK(last == 55);
    HALVM_CHECK(report::throws<std::runtime_error>([&] { numbers.next(); }));
    return report::verdict("coroutine");
}
