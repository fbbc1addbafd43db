// SPDX-License-Identifier: BSD-3-Clause
// What a program may ask about the machine it runs on.
#include "core/pages.hpp"

#include <sys/sysinfo.h>
#include <unistd.h>

#include <cerrno>

namespace {

constexpr long page_size = 4096;

}  // namespace

extern "C" {

long sysconf(int name) noexcept {
    switch (name) {
    case _SC_PAGESIZE: return page_size;
    case _SC_NPROCESSORS_CONF:
    case _SC_NPROCESSORS_ONLN: return 1;
    case _SC_PHYS_PAGES: return get_phys_pages();
    case _SC_AVPHYS_PAGES: return get_avphys_pages();
    case _SC_CLK_TCK: return 100;
    default: errno = EINVAL; return -1;
    }
}

int get_nprocs() noexcept { return 1; }

int get_nprocs_conf() noexcept { return 1; }

long get_phys_pages() noexcept { return static_cast<long>(halvm::core::pages_count().total); }

long get_avphys_pages() noexcept {
    const auto pages = halvm::core::pages_count();
    return static_cast<long>(pages.total - pages.mapped + pages.free);
}
}
