// SPDX-License-Identifier: BSD-3-Clause
// When every fiber waits, the domain is blocked: Xen counts that time apart from the time in which it ran. With
// `counted` on the command line (the run counts instructions as time) it must also have been blocked for longer than
// it ran; elsewhere the share is the host's business, for a sleep may end while another domain has the processor.
#include "report.hpp"

#include <halvm/program.hpp>
#include <halvm/xen/hypercall.hpp>

#include <xen/vcpu.h>

#include <chrono>
#include <cstdio>
#include <mutex>
#include <thread>

using namespace std::chrono_literals;

namespace {

vcpu_runstate_info run_state() {
    vcpu_runstate_info info{};
    HALVM_CHECK(halvm::xen::hypercall::vcpu_op(VCPUOP_get_runstate_info, 0, &info) == 0);
    return info;
}

}  // namespace

int halvm_main() {
    std::mutex held;
    held.lock();
    std::jthread waiting{[&] { const std::lock_guard lock{held}; }};
    const auto before = run_state();
    auto after = before;
    const auto ms = [&](int state) { return (after.time[state] - before.time[state]) / 1'000'000; };
    for (int sleeps = 0; ms(RUNSTATE_blocked) < 100 && sleeps < 50; ++sleeps) {
        std::jthread sleeping{[] { std::this_thread::sleep_for(200ms); }};
        sleeping.join();
        after = run_state();
    }
    held.unlock();
    std::printf("blocked %lu ms, ran %lu ms\n", ms(RUNSTATE_blocked), ms(RUNSTATE_running));
    HALVM_CHECK(ms(RUNSTATE_blocked) > 0);
    if (halvm::command_line() == "counted")
        HALVM_CHECK(ms(RUNSTATE_blocked) > 2 * ms(RUNSTATE_running));
    return report::verdict("idle");
}
