// SPDX-License-Identifier: BSD-3-Clause
// Compiled without a stack protector, because the canary is set here.
#include "boot/start.hpp"

#include "arch/x86_64/features.hpp"
#include "core/console.hpp"
#include "core/domain.hpp"
#include "core/entropy.hpp"
#include "core/fibers.hpp"
#include "core/heap.hpp"
#include "core/pages.hpp"
#include "core/panic.hpp"
#include "libc/startup.hpp"
#include "text/line_writer.hpp"

#include <halvm/main.hpp>

namespace halvm::boot {
namespace {

void print_banner() noexcept {
    const auto version =
        static_cast<unsigned long>(xen::hypercall::call(__HYPERVISOR_xen_version, XENVER_version, nullptr));
    line_writer line;
    line.text("halvm " HALVM_VERSION ": a PV domain of Xen ");
    line.decimal(version >> 16);
    line.text(".");
    line.decimal(version & 0xffff);
    line.text(core::domain.is_dom0 ? ", dom0, " : ", ");
    line.decimal(core::pages_count().total / 256);
    line.text(" MiB\n");
    core::console_write(line.c_str(), line.view().size());
}

}  // namespace

void start() {
    arch::enable_features();

    // The canary's lowest byte is 0, so that no string operation can copy it.
    std::uint64_t canary = 0;
    core::entropy_fill(&canary, sizeof canary);
    void* const memory = core::heap_allocate(libc::thread_block_size(), 64);
    arch::set_fs_base(
        reinterpret_cast<std::uintptr_t>(libc::thread_block_init(memory, canary & ~std::uint64_t{0xff}, 1)));

    if (const char* missing = arch::missing_feature())
        core::panic("this program was compiled for a CPU with %s, which this one, or Xen, does not offer", missing);

    core::fibers_start();
    if (core::domain.banner)
        print_banner();
    libc::run(halvm_main);
}

}  // namespace halvm::boot
