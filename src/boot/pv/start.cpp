// SPDX-License-Identifier: BSD-3-Clause
// The first C++ of a PV domain. Compiled without a stack protector, because the canary changes on the way.
#include "boot/start.hpp"
#include "arch/x86_64/cpu.hpp"
#include "arch/x86_64/features.hpp"
#include "arch/x86_64/paging.hpp"
#include "arch/x86_64/trap_frame.hpp"
#include "core/domain.hpp"
#include "core/image.hpp"
#include "core/page_source.hpp"

namespace halvm::core {

void map_pages(std::uint64_t first, void* table, void* directory) noexcept {
    arch::map_chunk(arch::pfn{first}, table, directory);
}
bool needs_page_directory(std::uint64_t first) noexcept { return arch::needs_directory(arch::pfn{first}); }
void open_image_pages() noexcept { arch::open_image_chunks(); }
std::uint64_t first_image_page() noexcept { return image::address(image::image_begin) / page_bytes; }

}  // namespace halvm::core

namespace {

/// What FS points at until the main thread has its block: the first word of a thread is its own address, and the
/// canary is 0 meanwhile.
alignas(64) std::uintptr_t provisional_thread[32];

}  // namespace

// Not noexcept: a handler for everything would unwind the stack that an uncaught exception should show.
extern "C" [[noreturn]] void halvm_pv_start(const start_info_t* at_start) {
    using namespace halvm;

    provisional_thread[0] = reinterpret_cast<std::uintptr_t>(provisional_thread);
    xen::hypercall::set_segment_base(SEGBASE_FS, provisional_thread[0]);

    // 1. Our own address space, with every protection in force. Only then is shared_info mapped.
    const auto memory = arch::paging_start(*at_start);
    auto& info = *reinterpret_cast<start_info_t*>(reinterpret_cast<std::uintptr_t>(at_start) + arch::direct_map);

    // 2. What the domain was given.
    auto& domain = core::domain;
    domain.is_dom0 = (info.flags & SIF_INITDOMAIN) != 0;
    domain.has_console = !domain.is_dom0 && info.console.domU.mfn != 0;
    domain.has_xenstore = info.store_mfn != 0;
    if (!domain.is_dom0)
        domain.console_port = xen::port{info.console.domU.evtchn};
    domain.xenstore_port = xen::port{info.store_evtchn};
    // The builder puts a module behind the image and maps it (that it may leave it unmapped, SIF_MOD_START_PFN, a
    // kernel must ask for in its notes): so it is in the direct map, and what is free begins behind it.
    domain.module = {reinterpret_cast<const std::byte*>(arch::direct_map + info.mod_start), info.mod_len};
    domain.identity = {reinterpret_cast<const char*>(&info), sizeof info};
    domain.set_command_line({reinterpret_cast<const char*>(info.cmd_line), sizeof info.cmd_line});

    // 3. Faults are reported from here on; no periodic tick.
    arch::install_traps();
    xen::hypercall::vcpu_op(VCPUOP_stop_periodic_timer, 0, nullptr);

    // 4. Memory to hand out.
    core::pages_start({memory.pages, memory.image_chunks * arch::chunk_pages, memory.first_free, memory.mapped_pages});

    // 5. The rest is the same for every way to boot.
    boot::start();
}
