// SPDX-License-Identifier: BSD-3-Clause
// A domain that manages others: what it may, what an ordinary one may not, and another version of Xen.
#include "hypervisor.hpp"

#include <halvm/xen/physdev.hpp>
#include <halvm/xen/populate.hpp>
#include <halvm/xen/sysctl.hpp>

#include <doctest/doctest.h>

#include <array>
#include <sstream>

namespace {

using namespace halvm;
namespace domctl = xen::domctl;
namespace sysctl = xen::sysctl;
namespace physdev = xen::physdev;
using xen::domid;
using xen::gfn;
using xen::pfn;
using xen::pirq;
using xen::vcpu;

constexpr xen::domain_handle handle{{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};

struct two_domains {
    sim::hypervisor host;
    sim::domain& dom0 = host.create();
    sim::domain& user = host.create();
};

TEST_CASE_FIXTURE(two_domains, "domctl: a domain is made, given memory and VCPUs, measured, and ended") {
    const auto free = host.frames.free_frames();
    const auto made = domctl::create(dom0, {.handle = handle, .max_vcpus = 2}).value();
    CHECK(made == domid{2});
    auto info = domctl::get_info(dom0, made).value();
    CHECK(info.id == made);
    CHECK(info.paused);
    CHECK(info.pages == 0);
    CHECK(!info.last_vcpu);
    CHECK(!info.shutdown_reason);
    CHECK(info.handle == handle);

    CHECK(domctl::max_vcpus(dom0, made, 1).error().code() == std::errc::invalid_argument);
    CHECK(domctl::max_vcpus(dom0, made, 2));
    CHECK(domctl::max_memory(dom0, made, 16));
    const std::array places{pfn{0}, pfn{1}, pfn{2}};
    std::array<gfn, 3> frames{};
    CHECK(xen::populate(dom0, made, places, frames).value().size() == 3);
    CHECK(frames[0] != frames[1]);
    info = domctl::get_info(dom0, made).value();
    CHECK(info.pages == 3);
    CHECK(info.max_pages == 4);
    CHECK(info.last_vcpu == vcpu{1});
    CHECK(xen::populate(dom0, made, places, frames).error().message() ==
          "memory populate_physmap: Cannot allocate memory");
    CHECK(domctl::get_info(dom0, made).value().pages == 4);
    CHECK(xen::populate(dom0, domid{9}, places, frames).error().message() ==
          "memory populate_physmap: No such process");

    host.refuse(dom0, __HYPERVISOR_domctl, -1, -XEN_EAGAIN, 3);
    CHECK(domctl::destroy(dom0, made));
    CHECK(domctl::get_info(dom0, made).error().message() == "domctl getdomaininfo: No such process");
    CHECK(host.frames.free_frames() + 1 >= free);  // its shared_info stays until the simulation ends
}

TEST_CASE_FIXTURE(two_domains, "domctl: a number is wanted, or taken") {
    CHECK(domctl::create(dom0, {}, domid{2}) == domid{2});
    CHECK(domctl::create(dom0, {}, domid{2}).error().code() == std::errc::file_exists);
}

TEST_CASE_FIXTURE(two_domains, "domctl: pauses are counted") {
    CHECK(domctl::pause(dom0, user.id()));
    CHECK(domctl::pause(dom0, user.id()));
    CHECK(domctl::unpause(dom0, user.id()));
    CHECK(domctl::get_info(dom0, user.id()).value().paused);
    CHECK(domctl::unpause(dom0, user.id()));
    CHECK(domctl::get_info(dom0, user.id()).value().running);
    CHECK(domctl::unpause(dom0, user.id()).error().code() == std::errc::invalid_argument);
}

TEST_CASE_FIXTURE(two_domains, "domctl: why a domain has shut itself down is seen") {
    sched_shutdown_t request{SHUTDOWN_crash};
    xen::call(user, __HYPERVISOR_sched_op, SCHEDOP_shutdown, &request);
    CHECK(domctl::get_info(dom0, user.id()).value().shutdown_reason == unsigned{SHUTDOWN_crash});
}

TEST_CASE_FIXTURE(two_domains, "domctl: another domain's answer in place of one that is gone is not taken for it") {
    host.before_call = [&](sim::domain&, unsigned long number, unsigned long request) {
        if (number == __HYPERVISOR_domctl)
            reinterpret_cast<xen_domctl_t*>(request)->domain = xen::raw(user.id());
    };
    CHECK(domctl::get_info(dom0, domid{0}).error().code() == std::errc::no_such_process);
}

TEST_CASE_FIXTURE(two_domains, "domctl: VCPUs are kept to CPUs that there are") {
    CHECK(domctl::vcpu_affinity(dom0, user.id(), vcpu{0}) == domctl::cpu_set{}.insert(0).insert(1).insert(2).insert(3));
    const auto effective = domctl::set_vcpu_affinity(dom0, user.id(), vcpu{0}, domctl::cpu_set{}.insert(2).insert(77));
    CHECK(effective == domctl::cpu_set{}.insert(2));
    CHECK(domctl::vcpu_affinity(dom0, user.id(), vcpu{0}) == domctl::cpu_set{}.insert(2));
    CHECK(domctl::set_vcpu_affinity(dom0, user.id(), vcpu{0}, domctl::cpu_set{}.insert(4095)).error().code() ==
          std::errc::invalid_argument);
    CHECK(domctl::vcpu_affinity(dom0, user.id(), vcpu{1}).error().code() == std::errc::invalid_argument);
    CHECK(!domctl::cpu_set::all().erase(5).contains(5));
}

TEST_CASE_FIXTURE(two_domains, "domctl: what hardware a domain may use") {
    CHECK(domctl::allow_irq(dom0, user.id(), pirq{4}, true));
    CHECK(user.control.irqs == std::set{4u});
    CHECK(domctl::allow_irq(dom0, user.id(), pirq{4}, false));
    CHECK(user.control.irqs.empty());
    CHECK(!domctl::allow_irq(dom0, user.id(), pirq{400}, true));
    CHECK(domctl::allow_io_ports(dom0, user.id(), 0x70, 2, true));
    CHECK(user.control.io_ports == std::set{0x70u, 0x71u});
    CHECK(!domctl::allow_io_ports(dom0, user.id(), 0xffff, 2, true));
    CHECK(domctl::allow_io_memory(dom0, user.id(), gfn{0xfee00}, 1, true));
    CHECK(user.control.io_frames == std::set<std::uint64_t>{0xfee00});
    CHECK(domctl::init_hypercalls(dom0, user.id(), gfn{9}));
    CHECK(user.control.hypercall_pages == std::vector{gfn{9}});
    CHECK(domctl::set_handle(dom0, user.id(), handle));
    CHECK(xen::own_handle(user) == handle);
}

TEST_CASE_FIXTURE(two_domains, "sysctl: the machine, its scheduler and its CPUs") {
    const auto machine = sysctl::physinfo(dom0).value();
    CHECK(machine.cpus == 4);
    CHECK(machine.free_pages == host.frames.free_frames());
    CHECK(sysctl::scheduler_in_use(dom0) == sysctl::scheduler::credit2);
    const auto places = sysctl::cpu_topology(dom0).value();
    CHECK(places.size() == 4);
    CHECK(places.at(3).core == 3);
}

TEST_CASE_FIXTURE(two_domains, "sysctl: all domains are listed, however many, without those that are gone") {
    while (host.domains() < 50)
        host.create();
    host.destroy(*host.find(domid{7}));
    auto all = sysctl::domains(dom0).value();
    REQUIRE(all.size() == 49);
    CHECK(all.at(6).id == domid{6});
    CHECK(all.at(7).id == domid{8});
    CHECK(all.back().id == domid{49});
    CHECK(sysctl::domains(dom0, domid{45}).value().size() == 5);
    CHECK(sysctl::domains(dom0, domid{60}).value().empty());
}

TEST_CASE_FIXTURE(two_domains, "sysctl: Xen's console is read on from where one was, or from what is left of it") {
    host.machine.console = "(XEN) one\n(XEN) two\n";
    std::array<std::byte, 12> some{};
    std::uint32_t index = 0;
    const auto read = [&] {
        return std::string{as_text(const_bytes{some}.first(sysctl::read_console(dom0, some, index).value()))};
    };
    CHECK(read() == "(XEN) one\n(X");
    CHECK(read() == "EN) two\n");
    CHECK(read().empty());
    CHECK(index == 20);
    host.machine.console += "(XEN) three and\n";
    host.machine.console_kept = 30;
    CHECK(read() == host.machine.console.substr(30));
}

TEST_CASE_FIXTURE(two_domains, "a domain that is not privileged is told so, whatever it asks for") {
    const auto says = [](const auto& refused, const std::string& attempted) {
        REQUIRE(!refused);
        CHECK(refused.error().message() == attempted + ": not permitted; this domain is not privileged");
        CHECK(refused.error().code() == std::errc::operation_not_permitted);
        CHECK(refused.error().code().category() == xen::privilege_category());
    };
    const domid other = dom0.id();
    says(domctl::get_info(user, other), "domctl getdomaininfo");
    says(domctl::create(user, {}), "domctl createdomain");
    says(domctl::destroy(user, other), "domctl destroydomain");
    says(domctl::pause(user, other), "domctl pausedomain");
    says(domctl::unpause(user, other), "domctl unpausedomain");
    says(domctl::max_vcpus(user, other, 1), "domctl max_vcpus");
    says(domctl::max_memory(user, other, 1), "domctl max_mem");
    says(domctl::set_vcpu_affinity(user, other, vcpu{0}, {}), "domctl setvcpuaffinity");
    says(domctl::vcpu_affinity(user, other, vcpu{0}), "domctl getvcpuaffinity");
    says(domctl::set_handle(user, other, {}), "domctl setdomainhandle");
    says(domctl::init_hypercalls(user, other, gfn{}), "domctl hypercall_init");
    says(domctl::allow_irq(user, other, pirq{1}, true), "domctl irq_permission");
    says(domctl::allow_io_ports(user, other, 1, 1, true), "domctl ioport_permission");
    says(domctl::allow_io_memory(user, other, gfn{1}, 1, true), "domctl iomem_permission");
    says(sysctl::physinfo(user), "sysctl physinfo");
    says(sysctl::scheduler_in_use(user), "sysctl sched_id");
    says(sysctl::domains(user), "sysctl getdomaininfolist");
    says(sysctl::cpu_topology(user), "sysctl cputopoinfo");
    std::uint32_t index = 0;
    says(sysctl::read_console(user, {}, index), "sysctl readconsole");
    std::array frames{gfn{}};
    says(xen::populate(user, other, std::array{pfn{0}}, frames), "memory populate_physmap");
}

std::string hexadecimal(unsigned number) {
    std::ostringstream text;
    text << std::hex << std::showbase << number;
    return text.str();
}

TEST_CASE_FIXTURE(two_domains, "another version of Xen's interface is named, and not used") {
    const auto ours = hexadecimal(XEN_DOMCTL_INTERFACE_VERSION), newer = hexadecimal(XEN_DOMCTL_INTERFACE_VERSION + 1);
    host.machine.domctl_version = XEN_DOMCTL_INTERFACE_VERSION + 1;
    host.machine.sysctl_version = 0x7f;
    const auto info = domctl::get_info(dom0, user.id());
    REQUIRE(!info);
    CHECK(info.error().message() ==
          "domctl getdomaininfo: this Xen speaks interface version " + newer + ", halvm was built for " + ours);
    CHECK(info.error().code() == std::errc::not_supported);
    CHECK(sysctl::physinfo(dom0).error().message() ==
          "sysctl physinfo: this Xen speaks interface version 0x7f, halvm was built for " +
              hexadecimal(XEN_SYSCTL_INTERFACE_VERSION));
    CHECK(domctl::pause(user, dom0.id()).error().message() ==
          "domctl pausedomain: this Xen speaks interface version " + newer + ", halvm was built for " + ours);
    CHECK(user.control.pauses == 0);
    host.machine.domctl_version = 0x200;
    CHECK(domctl::pause(dom0, user.id()).error().message() ==
          "domctl pausedomain: this Xen forbids it, or speaks another interface version than " + ours +
              ", which halvm was built for");
}

TEST_CASE_FIXTURE(two_domains, "a refusal that is no matter of versions or privilege is not taken for one") {
    host.refuse(dom0, __HYPERVISOR_domctl, -1, -XEN_EPERM);
    CHECK(domctl::allow_irq(dom0, user.id(), pirq{1}, true).error().message() ==
          "domctl irq_permission: Operation not permitted");
    host.refuse(dom0, __HYPERVISOR_domctl, -1, -XEN_EACCES);
    CHECK(domctl::pause(dom0, user.id()).error() == std::error_code{XEN_EACCES, xen::hypercall_category()});
}

TEST_CASE_FIXTURE(two_domains, "physdev: I/O privilege, interrupts ended and asked about") {
    CHECK(physdev::set_iopl(user, 3));
    CHECK(user.control.iopl == 3);
    CHECK(!physdev::set_iopl(user, 4));
    CHECK(physdev::end_of_interrupt(user, pirq{4}));
    CHECK(host.machine.ended_interrupts == std::vector{4u});
    CHECK(physdev::end_of_interrupt(user, pirq{99}).error().message() == "physdev eoi: Invalid argument");
    CHECK(physdev::query_irq(user, pirq{4}).value().needs_eoi);
    CHECK(physdev::query_irq(user, pirq{5}).value().shared);
    CHECK(!physdev::query_irq(user, pirq{99}));
}

TEST_CASE_FIXTURE(two_domains, "physdev: interrupts are mapped by a privileged domain alone") {
    CHECK(physdev::map_gsi(dom0, 4) == pirq{4});
    CHECK(host.machine.mapped_interrupts == std::set{4});
    CHECK(physdev::map_gsi(dom0, 99).error().message() == "physdev map_pirq: Invalid argument");
    CHECK(physdev::unmap_gsi(dom0, pirq{5}).error().message() == "physdev unmap_pirq: Invalid argument");
    CHECK(physdev::unmap_gsi(dom0, pirq{4}));
    CHECK(host.machine.mapped_interrupts.empty());
    CHECK(physdev::map_gsi(user, 4).error().message() == "physdev map_pirq: Operation not permitted");
    CHECK(physdev::unmap_gsi(user, pirq{4}).error().message() == "physdev unmap_pirq: Operation not permitted");
}

}  // namespace
