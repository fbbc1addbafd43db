// SPDX-License-Identifier: BSD-3-Clause
// Reads one node of the XenStore so many times, with so many reads in flight.
#include <halvm/fiber.hpp>
#include <halvm/program.hpp>
#include <halvm/xen/store.hpp>
#include <halvm/xen/vcpu.hpp>

#include <cstdio>
#include <cstdlib>
#include <vector>

int halvm_main() {
    using namespace halvm;
    const auto reads = std::strtoul(arguments()[0], nullptr, 10);
    const auto fibers = std::strtoul(arguments()[1], nullptr, 10);
    auto& store = xen::store();
    // What the connection itself has to do is over when the domain has said what it understands.
    store.read("domid").value();
    fiber::sleep(fiber::within(std::chrono::milliseconds{100}));
    xen::guest domain;
    const auto ran = [&] { return xen::vcpu_run_times(domain, xen::vcpu{}).value().running; };
    const auto ran_before = ran();
    const auto begin = fiber::clock::now();
    const auto before = store.notifications();
    std::vector<fiber::handle<void>> all;
    for (unsigned long i = 0; i < fibers; ++i)
        all.push_back(fiber::spawn([&] {
            for (auto left = reads / fibers; left != 0; --left)
                store.read("domid").value();
        }));
    for (auto& one : all)
        one.join();
    const auto took = fiber::clock::now() - begin;
    std::printf("%lld ns, %lld run, %llu notifications\n", static_cast<long long>(took.count()),
                static_cast<long long>((ran() - ran_before).count()),
                static_cast<unsigned long long>(store.notifications() - before));
    return 0;
}
