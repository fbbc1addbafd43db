// SPDX-License-Identifier: BSD-3-Clause
// What a domain learns of its hypervisor and of itself; and, when it is privileged, of all others.
#include <halvm/xen/domain.hpp>
#include <halvm/xen/guest.hpp>
#include <halvm/xen/sysctl.hpp>
#include <halvm/xen/version.hpp>

#include <chrono>
#include <cstdio>

namespace xen = halvm::xen;

int halvm_main() {
    xen::guest domain;
    const auto version = xen::hypervisor::version(domain).value();
    std::printf("Xen %u.%u%s\n", version.major, version.minor, xen::hypervisor::extra_version(domain).value().c_str());
    std::printf("domain %u, %s\n", xen::raw(xen::own_domid(domain).value()),
                xen::own_handle(domain).value().text().c_str());

    const auto all = xen::sysctl::domains(domain);
    if (!all) {
        std::printf("%s\n", all.error().message().c_str());
        return 0;
    }
    for (const auto& one : *all)
        std::printf("domain %u: %lu pages, %u VCPUs, ran %ld ms\n", xen::raw(one.id), one.pages, one.online_vcpus,
                    static_cast<long>(one.cpu_time / std::chrono::milliseconds{1}));
    return 0;
}
