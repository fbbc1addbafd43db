// SPDX-License-Identifier: BSD-3-Clause
#include "fiber_world.hpp"

#include "fiber/report.hpp"
#include "fiber/stacks.hpp"

#include <halvm/panic.hpp>

#include <sys/mman.h>
#include <utility>

namespace halvm::test {
namespace {

std::string reported;

}  // namespace

void fiber_world::poll() noexcept {
    ++polls;
    if (on_poll)
        on_poll();
}

void fiber_world::wait(fiber::instant deadline) noexcept {
    ++waits;
    if (on_wait)
        on_wait();
    else if (deadline == fiber::never)
        panic("the test waits for ever");
    if (deadline != fiber::never)
        time = wakes_at ? wakes_at(deadline) : deadline;
}

std::string reports() { return std::exchange(reported, {}); }

}  // namespace halvm::test

namespace halvm::fiber {

std::byte* map_stack(std::size_t size, bool guarded) noexcept {
    if (test::stacks_refused)
        return nullptr;
    const std::size_t before = guarded ? 4096 : 0;
    void* const memory =
        mmap(nullptr, before + size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED || (guarded && mprotect(memory, before, PROT_NONE) != 0))
        return nullptr;
    return static_cast<std::byte*>(memory) + before;
}

void report_text(std::string_view text) noexcept { test::reported += text; }

}  // namespace halvm::fiber
