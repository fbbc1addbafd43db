// SPDX-License-Identifier: BSD-3-Clause
// Who is asking: the number of the calling fiber, by which locks know their owner.
#pragma once

#include "libc/musl_layout.hpp"

namespace halvm::libc {

inline int own_tid() noexcept { return musl::self()->tid; }

}  // namespace halvm::libc
