// SPDX-License-Identifier: BSD-3-Clause
// What the real hypervisor says of itself and of this domain, and the CPU's time. With `dom0` on the command line the
// domain is dom0 and may know all; else it is an ordinary one.
#include "report.hpp"

#include <halvm/program.hpp>
#include <halvm/time.hpp>
#include <halvm/xen/domain.hpp>
#include <halvm/xen/guest.hpp>
#include <halvm/xen/multicall.hpp>
#include <halvm/xen/vcpu.hpp>
#include <halvm/xen/version.hpp>

#include <chrono>
#include <cstdint>
#include <ctime>
#include <string>

using namespace halvm;
using namespace std::chrono_literals;
namespace hypervisor = xen::hypervisor;

namespace {

xen::guest domain;

void check_version(bool dom0) {
    const auto version = hypervisor::version(domain).value();
    const auto build = hypervisor::compile_info(domain).value();
    std::printf("Xen %u.%u%s, %s, built by %s on %s, changeset %s\n", version.major, version.minor,
                hypervisor::extra_version(domain).value().c_str(), build.compiler.c_str(), build.by.c_str(),
                build.date.c_str(), hypervisor::changeset(domain).value().c_str());
    HALVM_CHECK(version.major == 4);
    HALVM_CHECK(build.compiler.find("gcc") != std::string::npos);
    HALVM_CHECK(hypervisor::capabilities(domain).value().starts_with("xen-3.0-x86_64"));
    HALVM_CHECK(hypervisor::machine_page_size(domain) == std::size_t{4096});
    HALVM_CHECK(hypervisor::address_space_begin(domain) == std::uintptr_t{0xffff'8000'0000'0000});
    HALVM_CHECK(hypervisor::has(domain, hypervisor::feature::mmu_pt_update_preserve_ad) == true);
    HALVM_CHECK(hypervisor::has(domain, hypervisor::feature::auto_translated_physmap) == false);
    HALVM_CHECK(hypervisor::has(domain, hypervisor::feature::dom0) == dom0);

    const auto line = hypervisor::command_line(domain);
    const auto id = hypervisor::build_id(domain);
    if (dom0) {
        HALVM_CHECK(line.value().find("console=com1") != std::string::npos);
        HALVM_CHECK(id.value().size() == 20);
    } else {
        HALVM_CHECK(line.error().message() == "xen_version commandline: not permitted; this domain is not privileged");
        HALVM_CHECK(id.error().message() == "xen_version build_id: not permitted; this domain is not privileged");
    }
}

/// A port that is left open for the domain of that number can be bound to from here: so it is ours.
bool is_own(xen::domid id) {
    evtchn_alloc_unbound_t open{.dom = DOMID_SELF, .remote_dom = xen::raw(id), .port = 0};
    if (xen::call(domain, __HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, &open) != 0)
        return false;
    evtchn_bind_interdomain_t bind{.remote_dom = xen::raw(id), .remote_port = open.port, .local_port = 0};
    const bool bound = xen::call(domain, __HYPERVISOR_event_channel_op, EVTCHNOP_bind_interdomain, &bind) == 0;
    for (const evtchn_port_t local : {open.port, bind.local_port}) {
        evtchn_close_t close{.port = local};
        xen::call(domain, __HYPERVISOR_event_channel_op, EVTCHNOP_close, &close);
    }
    return bound;
}

void check_domain(bool dom0) {
    const auto id = xen::own_domid(domain).value();
    const auto handle = xen::own_handle(domain).value();
    std::printf("domain %u, %s\n", xen::raw(id), handle.text().c_str());
    HALVM_CHECK((id == xen::dom0) == dom0);
    HALVM_CHECK((handle == xen::domain_handle{}) == dom0);
    HALVM_CHECK(is_own(id));
    HALVM_CHECK(!is_own(xen::domid{static_cast<domid_t>(xen::raw(id) + 1)}));
    // Asked again and again it takes no ports.
    for (int i = 0; i < 5000; ++i)
        HALVM_CHECK(xen::own_domid(domain) == id);
}

/// On a loaded machine a sleep can be over before the domain blocks.
void sleep_until_blocked() {
    const auto blocked = [] { return xen::vcpu_run_times(domain, xen::vcpu{0}).value().blocked; };
    for (const auto before = blocked(); blocked() == before;)
        halvm::sleep_for(30ms);
}

void check_vcpu() {
    const xen::vcpu first{0};
    HALVM_CHECK(xen::vcpu_is_up(domain, first) == true);
    HALVM_CHECK(xen::vcpu_is_up(domain, xen::vcpu{5}).error().message() == "vcpu is_up: No such file or directory");
    const auto before = xen::vcpu_run_times(domain, first).value();
    sleep_until_blocked();
    const auto after = xen::vcpu_run_times(domain, first).value();
    HALVM_CHECK(after.state == xen::run_state::running);
    HALVM_CHECK(after.running > before.running);
    HALVM_CHECK(after.blocked > before.blocked);
}

/// CPU time passes while the program runs, and not while it sleeps.
void check_cpu_time() {
    const auto cpu_ns = [] {
        timespec time{};
        HALVM_CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0);
        return std::uint64_t(time.tv_sec) * 1'000'000'000 + std::uint64_t(time.tv_nsec);
    };
    const auto running = [] {
        return static_cast<std::uint64_t>(xen::vcpu_run_times(domain, xen::vcpu{0}).value().running.count());
    };
    // Each lies between the two readings around it.
    const auto first = running();
    const auto told = cpu_ns();
    const auto ticks = std::clock();
    const auto last = running();
    HALVM_CHECK(first <= told && told <= last);
    HALVM_CHECK(told / 1000 <= std::uint64_t(ticks) && std::uint64_t(ticks) <= last / 1000);

    const auto blocked_before = xen::vcpu_run_times(domain, xen::vcpu{0}).value().blocked;
    const auto wall_before = halvm::clock::now();
    const auto cpu_before = cpu_ns();
    sleep_until_blocked();
    const auto cpu = std::chrono::nanoseconds{cpu_ns() - cpu_before};
    const auto wall = halvm::clock::now() - wall_before;
    const auto blocked = xen::vcpu_run_times(domain, xen::vcpu{0}).value().blocked - blocked_before;
    HALVM_CHECK(blocked > 0ns);
    HALVM_CHECK(cpu + blocked <= wall + 1ms);

    timespec time{};
    HALVM_CHECK(clock_getres(CLOCK_PROCESS_CPUTIME_ID, &time) == 0 && time.tv_nsec == 1);
    HALVM_CHECK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) != 0);
    HALVM_CHECK(clock_nanosleep(CLOCK_PROCESS_CPUTIME_ID, 0, &time, nullptr) == ENOTSUP);
}

void check_multicall() {
    xen::multicall<3> batch;
    const auto version = batch.add(__HYPERVISOR_xen_version, XENVER_version, nullptr);
    const auto nonsense = batch.add(__HYPERVISOR_xen_version, 9999, nullptr);
    const auto size = batch.add(__HYPERVISOR_xen_version, XENVER_pagesize, nullptr);
    HALVM_CHECK(batch.issue(domain));
    const auto alone = hypervisor::version(domain).value();
    HALVM_CHECK(batch.answer(version, "") == long{alone.major * 0x10000 + alone.minor});
    HALVM_CHECK(batch.answer(nonsense, "nonsense").error().message() == "nonsense: Function not implemented");
    HALVM_CHECK(batch.answer(size, "") == 4096);
}

}  // namespace

int halvm_main() {
    const bool dom0 = halvm::command_line() == "dom0";
    check_version(dom0);
    check_domain(dom0);
    check_vcpu();
    check_cpu_time();
    check_multicall();
    return report::verdict("information");
}
