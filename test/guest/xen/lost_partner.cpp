// SPDX-License-Identifier: BSD-3-Clause
// A guest that is destroyed while it has pages of another mapped: that one gets them back.
#include "partner.hpp"

#include "core/pages.hpp"

#include <halvm/fiber.hpp>
#include <halvm/xen/events.hpp>

namespace {

namespace xen = halvm::xen;
using xen::access;

constexpr std::size_t pages = 4;

void offer(const partner& with) {
    auto& table = xen::grants();
    auto shared = xen::share_pages(table, with.id(), pages, access::read_write).value();
    auto page = xen::allocate_pages(table.domain(), 1).value();
    auto lone = xen::grant_access(table, with.id(), page.data(), access::read_only).value();
    auto port = xen::events().alloc_unbound(with.id()).value();
    std::vector<std::uint64_t> offered{raw(port.number()), raw(lone.ref())};
    for (const auto ref : shared.refs())
        offered.push_back(raw(ref));
    with.tell("offer", offered);
    static_cast<void>(with.hear("mapped"));
    HALVM_CHECK(port.wait());
    HALVM_CHECK(filled(shared.bytes(), 9));

    HALVM_CHECK(!shared.end());
    HALVM_CHECK(!lone.end());
    lone = {};
    HALVM_CHECK(table.statistics().in_use == 0);
    HALVM_CHECK(table.statistics().parked == pages + 1 && table.statistics().parked_pages == pages);
    HALVM_CHECK(table.collect() == pages + 1);
    HALVM_CHECK(port.status()->is == xen::port_status::kind::interdomain);
    std::printf("parked\n");

    read_when_there("data/gone");
    const auto free = halvm::core::pages_count().free;
    HALVM_CHECK(table.collect() == 0);
    HALVM_CHECK(table.statistics().parked == 0 && table.statistics().parked_pages == 0);
    HALVM_CHECK(halvm::core::pages_count().free >= free + pages);
    HALVM_CHECK(port.status()->is == xen::port_status::kind::unbound);
    HALVM_CHECK(port.send());
    const auto nobody = xen::share_pages(table, with.id(), 1, access::read_only);
    HALVM_CHECK(nobody);
}

void take(const partner& with) {
    const auto offered = with.hear("offer");
    std::vector<xen::grant_ref> refs;
    for (std::size_t i = 1; i < offered.size(); ++i)
        refs.push_back(ref_of(offered[i]));
    auto port = xen::events().bind_interdomain(with.id(), xen::port{static_cast<evtchn_port_t>(offered.at(0))}).value();
    const auto lone = xen::map_grants(xen::grants(), with.id(), std::span{refs}.first(1), access::read_only).value();
    const auto seen = xen::map_grants(xen::grants(), with.id(), std::span{refs}.subspan(1), access::read_write).value();
    fill(seen.bytes(), 9);
    with.tell("mapped");
    HALVM_CHECK(port.send());
    halvm::fiber::event never;
    never.wait();
}

}  // namespace

int halvm_main() { return play("lost_partner", offer, take); }
