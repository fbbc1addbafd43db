// SPDX-License-Identifier: BSD-3-Clause
// A machine made of archetypes, for tests of the front doors.
#pragma once

#include "../../archetypes.hpp"

#include <optional>

namespace halvm::machine {

using console = archetype::console;
using clock = archetype::clock;

inline std::string console_input;
inline std::string console_output;
inline std::optional<error> console_missing;
inline int sleeps = 0;

inline result<console> open_console() {
    if (console_missing)
        return failure{*console_missing};
    return console{console_input, console_output};
}

inline void sleep_until(clock::time_point deadline) {
    ++sleeps;
    clock::current = deadline;
}

}  // namespace halvm::machine
