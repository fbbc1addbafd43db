// SPDX-License-Identifier: BSD-3-Clause
// Hypercalls, alone and in batches, counted: run where one instruction is one tick of the time stamp counter. What is
// counted is the domain's own instructions and Xen's for it.
#include <halvm/xen/domain.hpp>
#include <halvm/xen/guest.hpp>
#include <halvm/xen/multicall.hpp>
#include <halvm/xen/vcpu.hpp>
#include <halvm/xen/version.hpp>

#include <cstdint>
#include <cstdio>

namespace {

namespace xen = halvm::xen;

xen::guest domain;

std::uint64_t ticks() { return __builtin_ia32_rdtsc(); }

template <class Run>
void print(const char* metric, Run run) {
    constexpr std::uint64_t times = 1000;
    run();
    const auto before = ticks();
    for (std::uint64_t i = 0; i < times; ++i)
        run();
    std::printf("%s\t%lu\n", metric, static_cast<unsigned long>((ticks() - before) / times));
}

template <std::size_t Count>
void in_a_batch(const char* metric) {
    print(metric, [] {
        xen::multicall<Count> batch;
        for (std::size_t i = 0; i < Count; ++i)
            batch.add(__HYPERVISOR_xen_version, XENVER_version, nullptr);
        static_cast<void>(batch.issue(domain));
    });
}

template <std::size_t Count>
void one_by_one(const char* metric) {
    print(metric, [] {
        for (std::size_t i = 0; i < Count; ++i)
            xen::call(domain, __HYPERVISOR_xen_version, XENVER_version, nullptr);
    });
}

}  // namespace

int halvm_main() {
    one_by_one<1>("bare hypercall");
    print("checked hypercall (hypervisor::version)", [] { static_cast<void>(xen::hypervisor::version(domain)); });
    print("vcpu_run_times", [] { static_cast<void>(xen::vcpu_run_times(domain, xen::vcpu{0})); });
    print("own_domid", [] { static_cast<void>(xen::own_domid(domain)); });
    one_by_one<4>("4 one by one");
    one_by_one<16>("16 one by one");
    in_a_batch<1>("multicall of 1");
    in_a_batch<4>("multicall of 4");
    in_a_batch<16>("multicall of 16");
    return 0;
}
