// SPDX-License-Identifier: BSD-3-Clause
// The Platform of a real domain. It has no state of its own: there is one hypervisor below it.
#pragma once

#include <halvm/xen/pages.hpp>

extern "C" {
/// The one place that enters the hypervisor; it stands in .text.hypercall, out of which no `syscall` may be.
long halvm_hypercall(unsigned long first, unsigned long second, unsigned long third, unsigned long fourth,
                     unsigned long fifth, unsigned long number) noexcept;
}

namespace halvm::xen {

struct guest {
    static long hypercall(unsigned long number, unsigned long first, unsigned long second, unsigned long third,
                          unsigned long fourth, unsigned long fifth) noexcept {
        return halvm_hypercall(first, second, third, fourth, fifth, number);
    }
    static shared_info_t& shared_info() noexcept;
    static std::uint64_t now() noexcept;
    static void* allocate_pages(std::size_t count) noexcept;
    static void free_pages(void* page, std::size_t count) noexcept;
    static gfn frame_of(const void* page) noexcept;
    static void* open_window(std::size_t count) noexcept;
    static void close_window(void* page, std::size_t count) noexcept;
    static std::uint64_t window_address(const void* page) noexcept;
    static long map_frame(void* page, gfn frame) noexcept;
    static void unmap_frame(void* page) noexcept;
    static xenstore_place xenstore() noexcept;

    // What MemoryPlatform asks for besides.
    static long protect_pages(void* page, std::size_t count, protection allowed) noexcept;
    static gfn detach_frame(void* page) noexcept;
    static long attach_frame(void* page, gfn frame) noexcept;
    static long map_foreign_frame(void* page, domid owner, gfn frame, bool writable) noexcept;
};
static_assert(MemoryPlatform<guest>);

}  // namespace halvm::xen
