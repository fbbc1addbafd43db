// SPDX-License-Identifier: BSD-3-Clause
// Compiled without a stack protector, because the canary is set here.
#include "boot/start.hpp"

#include "arch/x86_64/features.hpp"
#include "core/domain.hpp"
#include "core/ending.hpp"
#include "core/entropy.hpp"
#include "core/heap.hpp"
#include "core/panic.hpp"
#include "libc/startup.hpp"

#include <halvm/main.hpp>

namespace halvm::boot {

void start() {
    arch::enable_features();

    // The canary's lowest byte is 0, so that no string operation can copy it.
    std::uint64_t canary = 0;
    core::entropy_fill(&canary, sizeof canary);
    void* const memory = core::heap_allocate(libc::thread_block_size(), 64);
    arch::set_fs_base(reinterpret_cast<std::uintptr_t>(libc::thread_block_init(memory, canary & ~std::uint64_t{0xff}, 1)));

    if (const char* missing = arch::missing_feature())
        core::panic("this program was compiled for a CPU with %s, which this one, or Xen, does not offer", missing);

    libc::run(halvm_main);
}

}  // namespace halvm::boot
