// SPDX-License-Identifier: BSD-3-Clause
// What a domain learns of its hypervisor and of itself, and calls in batches.
#include "hypervisor.hpp"

#include <halvm/xen/domain.hpp>
#include <halvm/xen/multicall.hpp>
#include <halvm/xen/vcpu.hpp>
#include <halvm/xen/version.hpp>

#include <doctest/doctest.h>

namespace {

using namespace halvm;
using namespace std::chrono_literals;
namespace hypervisor = xen::hypervisor;

struct two_domains {
    sim::hypervisor host;
    sim::domain& dom0 = host.create();
    sim::domain& user = host.create();
};

TEST_CASE_FIXTURE(two_domains, "hypervisor: says its version, and what it was built from") {
    CHECK(hypervisor::version(user) == hypervisor::number{4, 17});
    CHECK(hypervisor::extra_version(user) == ".7-sim");
    CHECK(hypervisor::changeset(user) == "none");
    CHECK(hypervisor::capabilities(user) == "xen-3.0-x86_64");
    CHECK(hypervisor::machine_page_size(user) == 4096u);
    CHECK(hypervisor::address_space_begin(user) == 0xffff'8000'0000'0000u);
}

TEST_CASE_FIXTURE(two_domains, "hypervisor: a text that fills its array ends there") {
    host.description.capabilities = std::string(5000, 'x');
    CHECK(hypervisor::capabilities(user).value().size() == 1023);
    const auto build = hypervisor::compile_info(user).value();
    CHECK(build.compiler == std::string(64, 'c'));
    CHECK(build.by == "me");
    CHECK(build.date == "today");
}

TEST_CASE_FIXTURE(two_domains, "hypervisor: its command line is for a privileged domain") {
    CHECK(hypervisor::command_line(dom0) == "console=com1");
    const auto refused = hypervisor::command_line(user);
    REQUIRE(!refused);
    CHECK(refused.error().message() == "xen_version commandline: not permitted; this domain is not privileged");
    CHECK(refused.error().code() == std::errc::operation_not_permitted);
}

TEST_CASE_FIXTURE(two_domains, "hypervisor: its build id is as long as it is, for a privileged domain") {
    for (const std::size_t size : {1u, 4u, 20u, 100u}) {
        host.description.build_id.assign(size, 0x7e);
        CHECK(hypervisor::build_id(dom0).value() == std::vector<std::byte>(size, std::byte{0x7e}));
    }
    CHECK(hypervisor::build_id(user).error().code() == std::errc::operation_not_permitted);
    host.description.build_id.clear();
    CHECK(hypervisor::build_id(dom0).error().code() == std::errc::no_message_available);
}

TEST_CASE_FIXTURE(two_domains, "hypervisor: a feature is there or not, and one of a later Xen is not") {
    host.description.features = {1u << XENFEAT_gnttab_map_avail_bits};
    CHECK(hypervisor::has(user, hypervisor::feature::gnttab_map_avail_bits) == true);
    CHECK(hypervisor::has(user, hypervisor::feature::dom0) == false);
    CHECK(hypervisor::has(user, hypervisor::feature{40}) == false);
    host.refuse(user, __HYPERVISOR_xen_version, XENVER_get_features, -XEN_EFAULT);
    CHECK(hypervisor::has(user, hypervisor::feature::dom0).error().message() ==
          "xen_version get_features: Bad address");
}

TEST_CASE_FIXTURE(two_domains, "domain: learns its number, and keeps no port for it") {
    for (int i = 0; i < 5000; ++i) {
        CHECK(xen::own_domid(dom0) == xen::dom0);
        CHECK(xen::own_domid(user) == xen::domid{1});
    }
    host.refuse(user, __HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, -XEN_ENOSPC);
    CHECK(xen::own_domid(user).error().message() ==
          "open a port to ask for the own domain's number: No space left on device");
    for (int i = 0; i < 5000; ++i) {
        host.refuse(user, __HYPERVISOR_event_channel_op, EVTCHNOP_status, -XEN_EPERM);
        CHECK(xen::own_domid(user).error().code() == std::errc::operation_not_permitted);
    }
    CHECK(xen::own_domid(user) == xen::domid{1});
}

TEST_CASE_FIXTURE(two_domains, "domain: knows its handle") {
    CHECK(xen::own_handle(user).value().text() == "00000000-0000-0000-0000-000000000000");
    user.control.handle = {
        {0x9f, 0x2c, 0x4a, 0x10, 0x0d, 0x1e, 0x4c, 0x1b, 0x8a, 0x5d, 1, 0x23, 0x45, 0x67, 0x89, 0xab}};
    CHECK(xen::own_handle(user).value().text() == "9f2c4a10-0d1e-4c1b-8a5d-0123456789ab");
}

TEST_CASE_FIXTURE(two_domains, "vcpu: its times add up to the system time, one that is not there is an error") {
    fiber::sleep(fiber::wait_limit{host.now() + 5'000'000});
    const auto times = xen::vcpu_run_times(user, xen::vcpu{0}).value();
    CHECK(times.state == xen::run_state::running);
    CHECK(times.running + times.runnable + times.blocked + times.offline == std::chrono::nanoseconds{host.now()});
    CHECK(times.since == std::chrono::nanoseconds{host.now()});
    CHECK(xen::vcpu_is_up(user, xen::vcpu{0}) == true);
    CHECK(xen::vcpu_is_up(user, xen::vcpu{1}).error().message() == "vcpu is_up: No such file or directory");
    CHECK(xen::vcpu_run_times(user, xen::vcpu{1}).error().code() == std::errc::no_such_file_or_directory);
}

TEST_CASE_FIXTURE(two_domains, "multicall: each call has its own answer, a refused one does not stop the rest") {
    unsigned entered = 0;
    host.before_call = [&](sim::domain&, unsigned long number, unsigned long) {
        entered += number == __HYPERVISOR_multicall;
    };
    xen::multicall<4> batch;
    const auto version = batch.add(__HYPERVISOR_xen_version, XENVER_version, nullptr);
    const auto nonsense = batch.add(__HYPERVISOR_xen_version, 99, nullptr);
    const auto nested = batch.add(__HYPERVISOR_multicall, nullptr, 0);
    const auto size = batch.add(__HYPERVISOR_xen_version, XENVER_pagesize, nullptr);
    REQUIRE(batch.issue(user));
    CHECK(entered == 1);
    CHECK(batch.answer(version, "version") == (4 << 16 | 17));
    CHECK(batch.answer(nonsense, "nonsense").error().message() == "nonsense: Function not implemented");
    CHECK(batch.answer(nested, "nested").error().code() == std::errc::invalid_argument);
    CHECK(batch.answer(size, "page size") == 4096);
}

TEST_CASE_FIXTURE(two_domains,
                  "multicall: an empty one is no call, a refused one says so, a cleared one is used again") {
    xen::multicall<1> batch;
    host.refuse(user, __HYPERVISOR_multicall, -1, -XEN_EFAULT);
    CHECK(batch.issue(user));
    batch.add(__HYPERVISOR_sched_op, SCHEDOP_yield);
    CHECK(batch.issue(user).error().message() == "multicall: Bad address");
    batch.clear();
    CHECK(batch.size() == 0);
    batch.add(__HYPERVISOR_sched_op, SCHEDOP_yield);
    CHECK(batch.issue(user));
    CHECK(batch.answer(0, "yield") == 0);
}

}  // namespace
