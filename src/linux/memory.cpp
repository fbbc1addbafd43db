// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/memory.hpp>

#include <fstream>
#include <unistd.h>

namespace halvm {

memory_usage memory_in_use() noexcept {
    const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
    memory_usage usage{.total = static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) * page};
    // [proc_pid_statm(5)]: size and resident, in pages.
    std::uint64_t size = 0;
    if (std::ifstream file{"/proc/self/statm"}; file >> size >> usage.used)
        usage.used *= page;
    return usage;
}

}  // namespace halvm
