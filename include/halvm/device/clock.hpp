// SPDX-License-Identifier: BSD-3-Clause
// The Clock concept: a steady std::chrono clock. Tests use one that moves by hand.
#pragma once

#include <chrono>
#include <concepts>

namespace halvm {

template <class Source>
concept Clock = requires {
    typename Source::duration;
    typename Source::time_point;
    requires Source::is_steady;
    // Never blocks and never goes back.
    { Source::now() } -> std::same_as<typename Source::time_point>;
};

}  // namespace halvm
