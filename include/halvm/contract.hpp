// SPDX-License-Identifier: BSD-3-Clause
// Expects() and Ensures(), GSL's words for what a caller must see to. A broken one is a mistake in the program,
// so it ends it: with the expression and its place, where GSL alone would only call std::terminate().
#pragma once

#include <gsl/assert>

namespace halvm {

/// Panics with "Precondition failed: expression, at file:line".
[[noreturn]] void contract_failed(const char* kind, const char* expression, const char* file, int line) noexcept;

}  // namespace halvm

#undef GSL_CONTRACT_CHECK
#define GSL_CONTRACT_CHECK(kind, condition) \
    (GSL_LIKELY(condition) ? static_cast<void>(0) : ::halvm::contract_failed(kind, #condition, __FILE__, __LINE__))
