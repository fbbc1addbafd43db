// SPDX-License-Identifier: BSD-3-Clause
// The simulation itself: what the tests of mechanisms and drivers rely on.
#include "hypervisor.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <vector>

namespace {

using namespace halvm;

TEST_CASE("simulated hypervisor: a frame is the same memory at every address where it is mapped") {
    sim::hypervisor host;
    auto& one = host.create();
    auto& other = host.create();
    void* const page = one.allocate_pages(1);
    void* const window = other.open_window(1);
    REQUIRE(other.map_frame(window, one.frame_of(page)) == 0);
    std::strcpy(static_cast<char*>(page), "seen");
    CHECK(std::strcmp(static_cast<char*>(window), "seen") == 0);
    other.unmap_frame(window);
    other.close_window(window, 1);
    one.free_pages(page, 1);
    CHECK(one.pages_in_use() == 0);
    CHECK(other.windows_in_use() == 0);
}

TEST_CASE("simulated hypervisor: pages are zeroed, and run out") {
    sim::hypervisor host{1, 64};
    auto& one = host.create();
    auto* const page = static_cast<std::byte*>(one.allocate_pages(8));
    REQUIRE(page != nullptr);
    CHECK(std::all_of(page, page + 8 * xen::page_size, [](std::byte byte) { return byte == std::byte{}; }));
    const auto before = host.frames.free_frames();
    CHECK(one.allocate_pages(64) == nullptr);
    CHECK(host.frames.free_frames() == before);
    one.free_pages(page, 8);
}

TEST_CASE("simulated hypervisor: a page that is freed while a peer sees it is a violation") {
    sim::hypervisor host;
    auto& one = host.create();
    void* const page = one.allocate_pages(1);
    ++host.frames.seen_by_others(one.frame_of(page));
    one.free_pages(page, 1);
    CHECK(host.take_violations().size() == 1);
}

TEST_CASE("simulated hypervisor: a call is refused as often as was asked, after the ones let through") {
    sim::hypervisor host;
    auto& one = host.create();
    host.refuse(one, __HYPERVISOR_sched_op, SCHEDOP_yield, -XEN_EAGAIN, 2, 1);
    const auto yield = [&] { return xen::call(one, __HYPERVISOR_sched_op, SCHEDOP_yield); };
    CHECK(yield() == 0);
    CHECK(yield() == -XEN_EAGAIN);
    CHECK(xen::checked_call(one, "yield", __HYPERVISOR_sched_op, SCHEDOP_yield).error() ==
          std::error_code{XEN_EAGAIN, xen::hypercall_category()});
    CHECK(yield() == 0);
}

TEST_CASE("simulated hypervisor: what is due happens in order of time while fibers sleep") {
    sim::hypervisor host;
    std::vector<int> order;
    host.after(2000, [&] { order.push_back(2); });
    host.after(1000, [&] { order.push_back(1); });
    fiber::sleep(fiber::wait_limit{host.now() + 3000});
    order.push_back(3);
    CHECK(order == std::vector{1, 2, 3});
}

TEST_CASE("simulated hypervisor: the hypercalls of a domain that was destroyed fail") {
    sim::hypervisor host;
    auto& one = host.create();
    host.destroy(one);
    CHECK(xen::call(one, __HYPERVISOR_sched_op, SCHEDOP_yield) == -XEN_EPERM);
    CHECK(host.find(one.id()) == nullptr);
}

}  // namespace
