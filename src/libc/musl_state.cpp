// SPDX-License-Identifier: BSD-3-Clause
// What musl's objects read of the state that its start-up would have set. All of it is known before the program runs,
// so it is initialised data.
#include "libc/musl_layout.hpp"

#include <elf.h>

namespace {

constexpr std::size_t page_size = 4096;

// What getauxval() searches.
constexpr std::size_t auxiliary_vector[] = {AT_PAGESZ, page_size, AT_NULL, 0};

char program_name[] = "halvm";

}  // namespace

extern "C" {

// No lock of musl's own is ever taken: fibers switch where they wait, and no object of musl waits while it holds one.
halvm::libc::musl::state __libc = {
    .can_do_threads = 1,
    .threaded = 0,
    .secure = 0,
    .need_locks = 0,
    .threads_minus_1 = 0,
    .auxv = auxiliary_vector,
    .tls_head = nullptr,
    .tls_size = 0,
    .tls_align = 0,
    .tls_count = 0,
    .page_size = page_size,
    .global_locale = {},
};

std::size_t __hwcap = 0;

char* __progname = program_name;
char* __progname_full = program_name;
extern char* program_invocation_short_name [[gnu::alias("__progname")]];
extern char* program_invocation_name [[gnu::alias("__progname_full")]];
}
