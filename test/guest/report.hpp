// SPDX-License-Identifier: BSD-3-Clause
// How a test that runs as a guest says what it found: a line for each failed check, and one verdict at the end, which
// the runner reads. A program that prints no verdict has crashed.
#pragma once

#include <cstdio>
#include <cstring>
#include <utility>

namespace report {

inline int failures = 0;

inline void check(bool passed, const char* expression, const char* file, int line) {
    if (passed)
        return;
    ++failures;
    const char* const slash = std::strrchr(file, '/');
    std::printf("%s:%d: check failed: %s\n", slash == nullptr ? file : slash + 1, line, expression);
}

/// True when `call` throws an `Exception`, and nothing else.
template <class Exception, class Call>
bool throws(Call&& call) {
    try {
        std::forward<Call>(call)();
    } catch (const Exception&) {
        return true;
    } catch (...) {}
    return false;
}

/// Prints the verdict; what halvm_main() returns.
[[nodiscard]] inline int verdict(const char* test) {
    std::printf("halvm test: %s: %s\n", test, failures == 0 ? "SUCCESS" : "FAILURE");
    return failures == 0 ? 0 : 1;
}

}  // namespace report

#define HALVM_CHECK(...) ::report::check(static_cast<bool>(__VA_ARGS__), #__VA_ARGS__, __FILE__, __LINE__)
