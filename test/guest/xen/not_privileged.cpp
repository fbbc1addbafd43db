// SPDX-License-Identifier: BSD-3-Clause
// In an ordinary domain: everything for a toolstack is refused, with a message that says so, and the program goes on.
#include "report.hpp"

#include <halvm/xen/events.hpp>
#include <halvm/xen/guest.hpp>
#include <halvm/xen/io_ports.hpp>
#include <halvm/xen/populate.hpp>
#include <halvm/xen/sysctl.hpp>

#include <array>
#include <string>

using namespace halvm;
namespace domctl = xen::domctl;
namespace sysctl = xen::sysctl;

namespace {

template <class Value>
void refused(const result<Value>& answer, const char* attempted) {
    HALVM_CHECK(!answer);
    if (answer)
        return;
    const auto message = answer.error().message();
    std::printf("%s\n", message.c_str());
    HALVM_CHECK(message == std::string{attempted} + ": not permitted; this domain is not privileged");
    HALVM_CHECK(answer.error().code() == std::errc::operation_not_permitted);
}

}  // namespace

int halvm_main() {
    xen::guest domain;
    const auto me = xen::own_domid(domain).value();
    refused(domctl::get_info(domain, xen::self), "domctl getdomaininfo");
    refused(domctl::get_info(domain, xen::dom0), "domctl getdomaininfo");
    refused(domctl::create(domain, {}), "domctl createdomain");
    refused(domctl::destroy(domain, me), "domctl destroydomain");
    refused(domctl::pause(domain, me), "domctl pausedomain");
    refused(domctl::unpause(domain, me), "domctl unpausedomain");
    refused(domctl::max_vcpus(domain, me, 1), "domctl max_vcpus");
    refused(domctl::max_memory(domain, me, 1 << 20), "domctl max_mem");
    refused(domctl::set_vcpu_affinity(domain, me, xen::vcpu{0}, domctl::cpu_set::all()), "domctl setvcpuaffinity");
    refused(domctl::vcpu_affinity(domain, me, xen::vcpu{0}), "domctl getvcpuaffinity");
    refused(domctl::set_handle(domain, me, {}), "domctl setdomainhandle");
    refused(domctl::init_hypercalls(domain, me, xen::gfn{}), "domctl hypercall_init");
    refused(domctl::allow_irq(domain, me, xen::pirq{1}, true), "domctl irq_permission");
    refused(domctl::allow_io_ports(domain, me, 0x70, 2, true), "domctl ioport_permission");
    refused(domctl::allow_io_memory(domain, me, xen::gfn{1}, 1, true), "domctl iomem_permission");
    refused(sysctl::physinfo(domain), "sysctl physinfo");
    refused(sysctl::scheduler_in_use(domain), "sysctl sched_id");
    refused(sysctl::domains(domain), "sysctl getdomaininfolist");
    refused(sysctl::cpu_topology(domain), "sysctl cputopoinfo");
    std::uint32_t index = 0;
    refused(sysctl::read_console(domain, {}, index), "sysctl readconsole");
    std::array frames{xen::gfn{}};
    HALVM_CHECK(xen::physdev::map_gsi(domain, 1).error().message() == "physdev map_pirq: Operation not permitted");
    HALVM_CHECK(xen::physdev::unmap_gsi(domain, xen::pirq{1}).error().message() ==
                "physdev unmap_pirq: Operation not permitted");
    HALVM_CHECK(xen::events().alloc_unbound_for(xen::dom0, xen::dom0).error().code() ==
                std::errc::operation_not_permitted);
    HALVM_CHECK(xen::events().bind_pirq(xen::pirq{1}).error().code() == std::errc::operation_not_permitted);
    refused(xen::populate(domain, xen::dom0, std::array{xen::pfn{0}}, frames), "memory populate_physmap");

    // The instructions are allowed to any PV domain; the ports are not there for it.
    const auto ports = xen::io_ports::open(domain).value();
    ports.out8(xen::io_port{0x80}, 1);
    HALVM_CHECK(ports.in8(xen::io_port{0x71}) == 0xff);
    HALVM_CHECK(ports.in16(xen::io_port{0x300}) == 0xffff);
    HALVM_CHECK(ports.in32(xen::io_port{0xcfc}) == 0xffff'ffff);
    return report::verdict("not_privileged");
}
