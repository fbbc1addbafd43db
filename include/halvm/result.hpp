// SPDX-License-Identifier: BSD-3-Clause
// Either a value or the error that stood in its way; std::expected's shape.
#pragma once

#include <halvm/error.hpp>

#include <tl/expected.hpp>

namespace halvm {

/// `value()` throws tl::bad_expected_access<error> when there is none.
template <class Value>
using result = tl::expected<Value, error>;

/// `return failure(error{...});` in a function that returns any result.
using failure = tl::unexpected<error>;

}  // namespace halvm
