// SPDX-License-Identifier: BSD-3-Clause
// feature: `std::set_terminate`; an exception out of a `noexcept` function
#include "report.hpp"

#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string_view>

namespace {

[[gnu::noinline]] void fail() { throw std::runtime_error{"but does"}; }

void promises_not_to() noexcept { fail(); }

[[noreturn]] void last_handler() {
    try {
        throw;
    } catch (const std::runtime_error& error) {
        HALVM_CHECK(std::string_view{error.what()} == "but does");
    } catch (...) {
        HALVM_CHECK(std::current_exception() == nullptr);
    }
    std::_Exit(report::verdict("terminate"));
}

}  // namespace

int halvm_main() {
    std::set_terminate(last_handler);
    promises_not_to();
    return 1;
}
