// SPDX-License-Identifier: BSD-3-Clause
// A thread's block, TLS variant II: [thread_local variables][musl's thread][dtv], FS base at the thread. It is written
// before FS base is set, so nothing here may read the canary or errno: it is compiled without stack protector, and
// memcpy and memset are assembly that reads neither.
#include "libc/musl_layout.hpp"
#include "libc/startup.hpp"

#include <cstring>

extern "C" {
extern const unsigned char __tdata_begin[];
extern const unsigned char __tdata_end[];
extern const unsigned char __tls_size[];  // the symbol's address is the number
extern const unsigned char __tls_align[];
}

namespace halvm::libc {
namespace {

struct block_end {
    musl::thread thread;
    std::uintptr_t dtv[2];  // what __tls_get_addr reads: the number of modules and where the image's block begins
};

std::size_t number(const unsigned char* symbol) noexcept { return reinterpret_cast<std::size_t>(symbol); }

std::size_t block_alignment() noexcept {
    const std::size_t wanted = number(__tls_align);
    return wanted > alignof(std::max_align_t) ? wanted : alignof(std::max_align_t);
}

}  // namespace

std::size_t thread_block_size() noexcept { return block_alignment() - 1 + number(__tls_size) + sizeof(block_end); }

void* thread_block_init(void* memory, std::uint64_t canary, int tid) noexcept {
    const std::size_t alignment = block_alignment();
    const std::size_t variables = number(__tls_size);
    const auto lowest = reinterpret_cast<std::uintptr_t>(memory) + variables;
    auto* const end = reinterpret_cast<block_end*>((lowest + alignment - 1) & ~(alignment - 1));
    auto* const begin = reinterpret_cast<unsigned char*>(end) - variables;

    const auto initialised = static_cast<std::size_t>(__tdata_end - __tdata_begin);
    std::memcpy(begin, __tdata_begin, initialised);
    std::memset(begin + initialised, 0, variables - initialised + sizeof(block_end));

    musl::thread& thread = end->thread;
    thread.self = thread.previous = thread.next = &thread;
    thread.dtv = end->dtv;
    thread.canary = canary;
    thread.tid = tid;
    thread.locale = musl::__libc.global_locale;
    end->dtv[0] = 1;
    end->dtv[1] = reinterpret_cast<std::uintptr_t>(begin);
    return &thread;
}

}  // namespace halvm::libc
