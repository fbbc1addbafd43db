// SPDX-License-Identifier: BSD-3-Clause
// When every fiber waits, the domain is blocked: Xen counts that time apart from the time in which it ran.
#include "report.hpp"

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
    std::jthread sleeping{[] { std::this_thread::sleep_for(500ms); }};
    sleeping.join();
    const auto after = run_state();
    held.unlock();
    const auto ms = [&](int state) { return (after.time[state] - before.time[state]) / 1'000'000; };
    std::printf("blocked %lu ms, ran %lu ms\n", ms(RUNSTATE_blocked), ms(RUNSTATE_running));
    HALVM_CHECK(ms(RUNSTATE_blocked) > 2 * ms(RUNSTATE_running));
    return report::verdict("idle");
}
