// SPDX-License-Identifier: BSD-3-Clause
// feature: exceptions across frames, nested, rethrown, kept in an exception_ptr
#include "report.hpp"

#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

int destroyed = 0;

struct witness {
    ~witness() { ++destroyed; }
};

[[gnu::noinline]] void descend(int frames) {
    const witness here;
    if (frames == 0)
        throw std::out_of_range{"the bottom"};
    descend(frames - 1);
}

std::string messages(const std::exception& exception) {
    std::string all = exception.what();
    try {
        std::rethrow_if_nested(exception);
    } catch (const std::exception& inner) {
        all += ": " + messages(inner);
    }
    return all;
}

std::string nested() {
    try {
        try {
            throw std::runtime_error{"inner"};
        } catch (...) {
            std::throw_with_nested(std::logic_error{"outer"});
        }
    } catch (const std::exception& exception) {
        return messages(exception);
    }
    return {};
}

int rethrown() {
    try {
        try {
            throw 42;
        } catch (const int&) {
            throw;
        }
    } catch (int value) {
        return value;
    }
    return 0;
}

struct base {
    virtual ~base() = default;
};
struct left : virtual base {};
struct right : virtual base {};
struct both : left, right {};

bool caught_by_virtual_base() {
    return report::throws<base>([] { throw both{}; });
}

int uncaught_while_unwinding = -1;

struct counts_uncaught {
    ~counts_uncaught() { uncaught_while_unwinding = std::uncaught_exceptions(); }
};

struct throws_late {
    throws_late() : member{} { throw std::runtime_error{"constructor"}; }
    witness member;
};

}  // namespace

int halvm_main() {
    HALVM_CHECK(report::throws<std::out_of_range>([] { descend(20); }));
    HALVM_CHECK(destroyed == 21);
    HALVM_CHECK(nested() == "outer: inner");
    HALVM_CHECK(rethrown() == 42);
    HALVM_CHECK(caught_by_virtual_base());
    HALVM_CHECK(
        report::throws<std::length_error>([] { std::vector<int>{}.reserve(std::vector<int>{}.max_size() + 1); }));

    std::exception_ptr kept;
    try {
        descend(3);
    } catch (...) {
        kept = std::current_exception();
    }
    HALVM_CHECK(kept != nullptr);
    HALVM_CHECK(report::throws<std::out_of_range>([&] { std::rethrow_exception(kept); }));

    try {
        const counts_uncaught counter;
        throw 1;
    } catch (int) {}
    HALVM_CHECK(uncaught_while_unwinding == 1);
    HALVM_CHECK(std::uncaught_exceptions() == 0);

    destroyed = 0;
    HALVM_CHECK(report::throws<std::runtime_error>([] { throws_late object; }));
    HALVM_CHECK(destroyed == 1);

    int caught = 0;
    for (int i = 0; i != 10'000; ++i) {
        try {
            throw i;
        } catch (int value) {
            caught += value == i;
        }
    }
    HALVM_CHECK(caught == 10'000);
    return report::verdict("exceptions");
}
