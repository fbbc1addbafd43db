// SPDX-License-Identifier: BSD-3-Clause
// How much memory the program has and uses, for figures that are looked at.
#pragma once

#include <cstdint>

namespace halvm {

struct memory_usage {
    std::uint64_t total = 0;  ///< bytes that the domain has; of a process, the machine
    std::uint64_t used = 0;   ///< bytes of it that are somebody's, with the image; of a process, resident
};

memory_usage memory_in_use() noexcept;

}  // namespace halvm
