// SPDX-License-Identifier: BSD-3-Clause
// When every fiber waits, the domain is blocked: Xen counts that time apart from the time in which it ran. With
// `counted` on the command line (the run counts instructions as time) it must also have been blocked for longer than
// it ran; elsewhere the share is the host's business, for a sleep may end while another domain has the processor.
#include "report.hpp"

#include <halvm/program.hpp>
#include <halvm/xen/guest.hpp>
#include <halvm/xen/vcpu.hpp>

#include <chrono>
#include <cstdio>
#include <mutex>
#include <thread>

using namespace std::chrono_literals;

namespace {

halvm::xen::run_times run_times() {
    halvm::xen::guest domain;
    return halvm::xen::vcpu_run_times(domain, halvm::xen::vcpu{0}).value();
}

}  // namespace

int halvm_main() {
    std::mutex held;
    held.lock();
    std::jthread waiting{[&] { const std::lock_guard lock{held}; }};
    const auto before = run_times();
    auto after = before;
    const auto blocked = [&] { return (after.blocked - before.blocked) / 1ms; };
    const auto running = [&] { return (after.running - before.running) / 1ms; };
    const bool counted = halvm::command_line() == "counted";
    while (blocked() < (counted ? 100 : 1)) {
        std::jthread sleeping{[] { std::this_thread::sleep_for(200ms); }};
        sleeping.join();
        after = run_times();
    }
    held.unlock();
    std::printf("blocked %lu ms, ran %lu ms\n", blocked(), running());
    HALVM_CHECK(!counted || blocked() > 2 * running());
    return report::verdict("idle");
}
