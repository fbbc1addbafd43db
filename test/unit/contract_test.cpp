// SPDX-License-Identifier: BSD-3-Clause
#include "child.hpp"

#include <halvm/contract.hpp>

#include <string_view>

namespace {

using halvm::test::in_child;

TEST_CASE("contract: a kept one evaluates its condition once and nothing else") {
    int evaluated = 0;
    Expects(++evaluated == 1);
    Ensures(++evaluated == 2);
    CHECK(evaluated == 2);
}

int twice_the_answer(int answer) {
    Expects(answer == 42);
    return 2 * answer;
}
constexpr int line_of_expects = __LINE__ - 3;

TEST_CASE("contract: a broken Expects says the expression and the place, and aborts") {
    const auto end = in_child([] { return twice_the_answer(41); });
    CHECK(end.signal == SIGABRT);
    CHECK(end.errors == "halvm: panic: Precondition failed: answer == 42, at " + std::string{__FILE__} + ":" +
                            std::to_string(line_of_expects) + "\n");
}

TEST_CASE("contract: a broken Ensures is called a postcondition") {
    const auto end = in_child([] {
        Ensures(false);
        return 0;
    });
    CHECK(end.signal == SIGABRT);
    CHECK(end.errors.find("Postcondition failed: false, at ") != std::string::npos);
}

}  // namespace
