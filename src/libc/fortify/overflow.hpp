// SPDX-License-Identifier: BSD-3-Clause
// The checks of _FORTIFY_SOURCE. Code compiled with it, as Debian's static libraries are, calls __NAME_chk instead of
// NAME and says how much room the destination has, where the compiler knew: SIZE_MAX where it did not.
#pragma once

#include "core/panic.hpp"

#include <cstddef>

namespace halvm::libc {

inline void check_room(std::size_t needed, std::size_t room, const char* call) noexcept {
    if (needed > room)
        core::panic("%s would write %zu bytes where there is room for %zu", call, needed, room);
}

}  // namespace halvm::libc
