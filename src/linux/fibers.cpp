// SPDX-License-Identifier: BSD-3-Clause
// The scheduler on a process: one thread, the monotonic clock, and a sleep when nobody can run.
#include "fibers.hpp"
#include "fiber/report.hpp"
#include "fiber/stacks.hpp"
#include "readiness.hpp"
#include "text/line_writer.hpp"

#include <halvm/fiber/scheduler.hpp>
#include <halvm/linux/clock.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <fcntl.h>
#include <sanitizer/lsan_interface.h>
#include <sys/mman.h>
#include <unistd.h>

// Null in a program without that sanitizer.
#pragma weak __lsan_register_root_region

namespace halvm::process {
namespace {

struct process_machine final : fiber::machine {
    fiber::instant now() noexcept override {
        return static_cast<fiber::instant>(clock::now().time_since_epoch().count());
    }
    void poll() noexcept override { readiness_poll(); }
    void wait(fiber::instant deadline) noexcept override {
        if (readiness_awaited())
            readiness_wait(now(), deadline);
        else if (deadline == fiber::never)
            pause();
        else
            sleep_until(clock::time_point{std::chrono::nanoseconds{static_cast<std::int64_t>(deadline)}});
    }
    bool wait_polls() const noexcept override { return readiness_awaited(); }
    void deadlock() noexcept override {
        fiber::report_text("halvm: deadlock: every fiber waits for another\n");
        fiber::print_fibers();
    }
};

}  // namespace

void fibers_start() {
    static constinit process_machine below;
    // Never destroyed: static objects of the program may use fibers to the end.
    static auto& own = *new fiber::scheduler{below};
    static_cast<void>(own);
}

}  // namespace halvm::process

namespace halvm::fiber {
namespace {

/// Says once that it is the number of mappings, and not memory, that is used up.
void report_full(std::size_t guards) noexcept {
    static constinit bool said = false;
    // The stack and its guard are a mapping each. The rest of the process has a few hundred.
    constexpr std::size_t others = 1000;
    std::array<char, 16> text{};
    const int limit = open("/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC);
    if (limit < 0)
        return;
    const auto length = read(limit, text.data(), text.size() - 1);
    close(limit);
    std::size_t most = 0;
    std::from_chars(text.data(), text.data() + std::max<ssize_t>(length, 0), most);
    if (said || 2 * guards + others < most)
        return;
    said = true;
    line_writer line;
    line.text("halvm: ");
    line.decimal(guards);
    line.text(" guarded stacks are as many as vm.max_map_count, which is ");
    line.decimal(most);
    line.text(", has room for: spawn fibers with .guarded = false, or raise it\n");
    report_text(line.view());
}

}  // namespace

std::byte* map_stack(std::size_t size, bool guarded) noexcept {
    constexpr std::size_t page = 4096;
    static constinit std::size_t guards = 0;
    const std::size_t before = guarded ? page : 0;
    void* const memory = mmap(nullptr, before + size, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED) {
        report_full(guards);
        return nullptr;
    }
    if (guarded && mprotect(memory, page, PROT_NONE) != 0) {
        report_full(guards);
        munmap(memory, before + size);
        return nullptr;
    }
    guards += guarded;
    // What only a fiber that waits can reach is no leak.
    if (__lsan_register_root_region != nullptr)
        __lsan_register_root_region(static_cast<std::byte*>(memory) + before, size);
    return static_cast<std::byte*>(memory) + before;
}

void report_text(std::string_view text) noexcept {
    while (!text.empty()) {
        const auto written = write(STDERR_FILENO, text.data(), text.size());
        if (written <= 0)
            return;
        text.remove_prefix(static_cast<std::size_t>(written));
    }
}

}  // namespace halvm::fiber
