// SPDX-License-Identifier: BSD-3-Clause
// The scheduler on a domain: Xen's clock and event channels below it, SCHEDOP_block when nobody can run.
#include "core/fibers.hpp"

#include "arch/x86_64/paging.hpp"
#include "core/console.hpp"
#include "core/events.hpp"
#include "core/pages.hpp"
#include "core/time.hpp"
#include "fiber/report.hpp"
#include "fiber/stacks.hpp"

#include <halvm/fiber/scheduler.hpp>

#include <cstring>
#include <new>

namespace halvm::core {
namespace {

struct domain_machine final : fiber::machine {
    fiber::instant now() noexcept override { return monotonic_ns(); }
    void poll() noexcept override { events_poll(); }
    void wait(fiber::instant deadline) noexcept override { events_block(deadline); }
    void deadlock() noexcept override {
        console_emergency("halvm: deadlock: every fiber waits for another\n");
        fiber::print_fibers();
    }
};

// Neither has a constructor or destructor run by the program: the scheduler is there before and after those.
constinit domain_machine below;
alignas(fiber::scheduler) constinit std::byte storage[sizeof(fiber::scheduler)]{};

}  // namespace

void fibers_start() noexcept {
    events_start();
    new (storage) fiber::scheduler{below};
}

void sleep_until_ns(std::uint64_t deadline) noexcept {
    fiber::wait_queue nobody{"time"};
    fiber::this_scheduler().wait(nobody, fiber::wait_limit{deadline});
}

}  // namespace halvm::core

namespace halvm::fiber {

std::byte* map_stack(std::size_t size, bool guarded) noexcept {
    constexpr std::size_t page = arch::page_size;
    const std::size_t before = guarded ? page : 0;
    auto* const memory = static_cast<std::byte*>(core::pages_allocate(before + size));
    if (memory == nullptr)
        return nullptr;
    std::memset(memory + before, 0, size);
    if (guarded)
        arch::unmap_page(memory);
    return memory + before;
}

void report_text(std::string_view text) noexcept { core::console_emergency(text); }

}  // namespace halvm::fiber
