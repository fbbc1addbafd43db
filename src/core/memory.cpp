// SPDX-License-Identifier: BSD-3-Clause
#include "core/pages.hpp"

#include <halvm/memory.hpp>

namespace halvm {

memory_usage memory_in_use() noexcept {
    constexpr std::uint64_t page = 4096;
    const auto count = core::pages_count();
    return {.total = count.total * page, .used = (count.mapped - count.free) * page};
}

}  // namespace halvm
