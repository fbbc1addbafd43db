// SPDX-License-Identifier: BSD-3-Clause
// The guard below a fiber's stack was touched: says whose it is before the process ends. The handler has a stack of its
// own, for the fiber's is used up.
#include "fiber/report.hpp"
#include "fibers.hpp"
#include "text/line_writer.hpp"

#include <halvm/fiber/scheduler.hpp>

#include <array>
#include <csignal>
#include <cstddef>

namespace halvm::process {
namespace {

alignas(16) constinit std::array<std::byte, 64 * 1024> signal_stack{};

void fault(int, siginfo_t* what, void*) {
    constexpr std::ptrdiff_t guard = 4096;
    const fiber::task& one = fiber::this_scheduler().current();
    const auto* const at = static_cast<const std::byte*>(what->si_addr);
    if (one.stack.base != nullptr && one.stack.guarded && at < one.stack.base && one.stack.base - at <= guard) {
        line_writer text;
        text.text("halvm: panic: stack overflow: fiber ");
        text.text(one.name());
        text.text(" overran its stack of ");
        text.decimal(one.stack.size);
        text.text(" bytes\n");
        fiber::report_text(text.view());
    }
    // The instruction is tried again, and then the fault ends the process as it would have.
    std::signal(SIGSEGV, SIG_DFL);
}

}  // namespace

void handlers_start() noexcept {
    const stack_t ours{.ss_sp = signal_stack.data(), .ss_flags = 0, .ss_size = signal_stack.size()};
    stack_t before{};
    if (sigaltstack(nullptr, &before) == 0 && (before.ss_flags & SS_DISABLE) != 0)
        sigaltstack(&ours, nullptr);
    struct sigaction found {};
    // A sanitizer reports faults itself.
    if (sigaction(SIGSEGV, nullptr, &found) != 0 || found.sa_handler != SIG_DFL)
        return;
    struct sigaction action {};
    action.sa_sigaction = fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigaction(SIGSEGV, &action, nullptr);
}

}  // namespace halvm::process
