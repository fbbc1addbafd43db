// SPDX-License-Identifier: BSD-3-Clause
// Who is asking, and what happens to a wait that nobody can end. There is one thread, so a lock that is held is held by
// the caller or for ever.
#pragma once

#include "core/panic.hpp"
#include "libc/musl_layout.hpp"

namespace halvm::libc {

inline int own_tid() noexcept { return musl::self()->tid; }

[[noreturn]] inline void wait_for_ever(const char* call, const char* why) noexcept {
    core::panic("%s would wait for ever: %s", call, why);
}

}  // namespace halvm::libc
