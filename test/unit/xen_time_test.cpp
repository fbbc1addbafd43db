// SPDX-License-Identifier: BSD-3-Clause
// Time out of the page that Xen shares with the domain, here with this CPU's own counter.
#include "child.hpp"

#include "arch/x86_64/cpu.hpp"
#include "core/domain.hpp"
#include "core/time.hpp"

#include <atomic>
#include <chrono>
#include <thread>

shared_info_t halvm_shared_info;

namespace {

using namespace halvm;
using namespace std::chrono_literals;
using test::in_child;

constexpr std::uint64_t second = 1'000'000'000;
vcpu_time_info_t& shared() { return halvm_shared_info.vcpu_info[0].time; }

/// From now on one tick of the counter is one nanosecond: 2^31 / 2^32, shifted left by one.
void start_clock(std::uint64_t system_time, std::uint64_t stamp = arch::rdtsc()) {
    shared() = {};
    shared().tsc_timestamp = stamp;
    shared().system_time = system_time;
    shared().tsc_to_system_mul = 0x8000'0000;
    shared().tsc_shift = 1;
}

/// 0 when the clock is at `at_zero` plus the ticks since `stamp`; each case runs in a child, for a clock of its own.
int check_clock(std::uint64_t at_zero, std::uint64_t stamp) {
    const std::uint64_t before = arch::rdtsc() - stamp;
    const std::uint64_t now = core::monotonic_ns() - at_zero;
    const std::uint64_t after = arch::rdtsc() - stamp;
    return before <= now && now <= after ? 0 : 1;
}

TEST_CASE("xen time: is the stamp's time and the ticks since, scaled") {
    CHECK(in_child([] {
              const auto stamp = arch::rdtsc();
              start_clock(5 * second, stamp);
              return check_clock(5 * second, stamp);
          }).exit_status == 0);
}

TEST_CASE("xen time: a counter faster than the clock is shifted right") {
    CHECK(in_child([] {
              const auto stamp = arch::rdtsc() - (std::uint64_t{1} << 36);
              start_clock(0, stamp);
              shared().tsc_to_system_mul = 0xffff'ffff;
              shared().tsc_shift = -4;
              const auto now = core::monotonic_ns();
              return now >= (std::uint64_t{1} << 32) - 32 && now < (std::uint64_t{1} << 32) + 10 * second ? 0 : 1;
          }).exit_status == 0);
}

TEST_CASE("xen time: an old stamp does not overflow the product") {
    CHECK(in_child([] {
              const auto stamp = arch::rdtsc() - (std::uint64_t{1} << 36);
              start_clock(second, stamp);
              return check_clock(second, stamp);
          }).exit_status == 0);
}

TEST_CASE("xen time: a stamp ahead of this CPU's counter counts as just taken") {
    CHECK(in_child([] {
              start_clock(7 * second, arch::rdtsc() + (std::uint64_t{1} << 40));
              return core::monotonic_ns() == 7 * second ? 0 : 1;
          }).exit_status == 0);
}

TEST_CASE("xen time: never goes back when Xen's own does") {
    CHECK(in_child([] {
              start_clock(100 * second);
              const auto before = core::monotonic_ns();
              start_clock(99 * second);
              return core::monotonic_ns() == before ? 0 : 1;
          }).exit_status == 0);
}

TEST_CASE("xen time: a stamp that is being written is not used, nor half of one") {
    CHECK(in_child([] {
              const auto stamp = arch::rdtsc();
              start_clock(second, stamp);
              std::atomic<bool> done = false;
              // Two stamps that say the same; a mixture of them is four seconds off.
              std::thread xen{[&] {
                  const std::atomic_ref version{shared().version};
                  for (std::uint64_t far = 0; !done; far ^= std::uint64_t{1} << 32) {
                      version.fetch_add(1);
                      std::atomic_ref{shared().tsc_timestamp}.store(stamp - far);
                      for (int i = 0; i < 20; ++i)
                          arch::pause();
                      std::atomic_ref{shared().system_time}.store(5 * second - far);
                      version.fetch_add(1);
                      for (int i = 0; i < 20; ++i)
                          arch::pause();
                  }
              }};
              while (shared().system_time == second)
                  arch::pause();
              int wrong = 0;
              for (const auto start = std::chrono::steady_clock::now(); std::chrono::steady_clock::now() < start + 1s;)
                  wrong += check_clock(5 * second, stamp);
              done = true;
              xen.join();
              return wrong == 0 ? 0 : 1;
          }).exit_status == 0);
}

TEST_CASE("xen time: the wall clock is Xen's start and the time since, beyond 2038 and 2106 too") {
    CHECK(in_child([] {
              start_clock(5 * second, arch::rdtsc() + (std::uint64_t{1} << 40));
              halvm_shared_info.wc_sec = 0xffff'ffff;
              halvm_shared_info.wc_sec_hi = 1;
              halvm_shared_info.wc_nsec = 7;
              return core::wall_ns() == (0x1'ffff'ffff + 5) * second + 7 ? 0 : 1;
          }).exit_status == 0);
}

}  // namespace
