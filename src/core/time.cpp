// SPDX-License-Identifier: BSD-3-Clause
#include "core/time.hpp"

#include "arch/x86_64/cpu.hpp"
#include "core/domain.hpp"

#include <atomic>

namespace halvm::core {
namespace {

/// Copies what Xen may be changing: an odd version, or one that has changed meanwhile, means try again.
template <class Version, class Copy>
auto read_consistent(Version& version, Copy copy) noexcept {
    for (;;) {
        const auto before = std::atomic_ref{version}.load(std::memory_order_acquire);
        const auto values = copy();
        std::atomic_thread_fence(std::memory_order_acquire);
        if ((before & 1) == 0 && std::atomic_ref{version}.load(std::memory_order_relaxed) == before)
            return values;
    }
}

}  // namespace

std::uint64_t monotonic_ns() noexcept {
    static std::uint64_t latest = 0;
    auto& shared = halvm_shared_info.vcpu_info[0].time;
    const auto [time, tsc] = read_consistent(shared.version, [&] {
        struct {
            vcpu_time_info_t time;
            std::uint64_t tsc;
        } values{shared, arch::rdtsc()};
        return values;
    });
    // A CPU whose counter lags the one that took the stamp would give a huge difference.
    const std::uint64_t ticks = tsc > time.tsc_timestamp ? tsc - time.tsc_timestamp : 0;
    const std::uint64_t scaled = time.tsc_shift >= 0 ? ticks << time.tsc_shift : ticks >> -time.tsc_shift;
    // 128 bits, because the product passes 64 bits a few seconds after a stamp.
    const auto since =
        static_cast<std::uint64_t>(static_cast<unsigned __int128>(scaled) * time.tsc_to_system_mul >> 32);
    const std::uint64_t now = time.system_time + since;
    return latest = now > latest ? now : latest;
}

std::uint64_t wall_ns() noexcept {
    auto& shared = halvm_shared_info;
    // The offset holds Xen's own start, so the system time is what is added to it.
    const auto start = read_consistent(shared.wc_version, [&] {
        const auto seconds = std::uint64_t{shared.wc_sec_hi} << 32 | shared.wc_sec;
        return seconds * 1'000'000'000 + shared.wc_nsec;
    });
    return start + monotonic_ns();
}

}  // namespace halvm::core
