// SPDX-License-Identifier: BSD-3-Clause
// Grants under the real hypervisor: the domain grants to itself, which Xen treats as it does any other peer. With a
// word on the command line it then does what must end in a fault.
#include "report.hpp"

#include "core/pages.hpp"

#include <halvm/program.hpp>
#include <halvm/xen/domain.hpp>
#include <halvm/xen/grants.hpp>

#include <algorithm>
#include <string_view>
#include <vector>

namespace {

namespace xen = halvm::xen;
using xen::access;

xen::domid me{};

auto map(std::span<const xen::grant_ref> refs, access wanted = access::read_write) {
    return xen::map_grants(xen::grants(), me, refs, wanted);
}

void share_and_map() {
    auto shared = xen::share_pages(xen::grants(), me, 40, access::read_write);
    HALVM_CHECK(shared);
    auto seen = map(shared->refs());
    HALVM_CHECK(seen);
    HALVM_CHECK(seen->data() != shared->data());
    HALVM_CHECK(
        std::all_of(seen->bytes().begin(), seen->bytes().end(), [](std::byte one) { return one == std::byte{}; }));
    for (std::size_t i = 0; i < 40; ++i)
        shared->data()[i * xen::page_size + i] = static_cast<std::byte>(i + 1);
    for (std::size_t i = 0; i < 40; ++i)
        HALVM_CHECK(seen->data()[i * xen::page_size + i] == static_cast<std::byte>(i + 1));
    seen->data()[5] = std::byte{77};
    HALVM_CHECK(shared->data()[5] == std::byte{77});

    HALVM_CHECK(seen->unmap());
    auto back = shared->end();
    HALVM_CHECK(back && back->count() == 40);
    HALVM_CHECK(xen::grants().statistics().in_use == 0);
}

void end_while_mapped() {
    auto page = xen::allocate_pages(xen::grants().domain(), 1);
    auto lent = xen::grant_access(xen::grants(), me, page->data(), access::read_write);
    const auto ref = lent->ref();
    auto seen = map(std::span{&ref, 1});
    HALVM_CHECK(seen);
    HALVM_CHECK(!lent->end());
    HALVM_CHECK(lent->end().error().code() == std::errc::device_or_resource_busy);
    HALVM_CHECK(seen->unmap());
    HALVM_CHECK(lent->end());
    // What has ended cannot be mapped.
    HALVM_CHECK(!map(std::span{&ref, 1}));
    {
        auto shared = xen::share_pages(xen::grants(), me, 2, access::read_write);
        seen = map(shared->refs().first(1));
        HALVM_CHECK(seen);
    }
    HALVM_CHECK(xen::grants().statistics().parked == 1);
    HALVM_CHECK(xen::grants().statistics().parked_pages == 2);
    HALVM_CHECK(xen::grants().collect() == 1);
    HALVM_CHECK(seen->unmap());
    HALVM_CHECK(xen::grants().collect() == 0);
    HALVM_CHECK(xen::grants().statistics().parked_pages == 0);
}

void refused() {
    auto shared = xen::share_pages(xen::grants(), me, 2, access::read_only);
    const auto writable = map(shared->refs());
    HALVM_CHECK(!writable);
    HALVM_CHECK(writable.error().code().category() == xen::grant_category());
    HALVM_CHECK(map(shared->refs(), access::read_only));
    std::vector<xen::grant_ref> refs(shared->refs().begin(), shared->refs().end());
    refs.push_back(xen::grant_ref{4'000'000});
    const auto bad = map(refs, access::read_only);
    HALVM_CHECK(!bad);
    std::printf("%s\n", bad.error().message().c_str());
    HALVM_CHECK(xen::grants().statistics().mapped == 0);
    HALVM_CHECK(shared->end());
    const auto nobody = xen::map_grants(xen::grants(), xen::domid{32000}, refs, access::read_only);
    HALVM_CHECK(!nobody && nobody.error() == (std::error_code{GNTST_bad_domain, xen::grant_category()}));
}

void exhaust() {
    auto page = xen::allocate_pages(xen::grants().domain(), 1);
    std::vector<xen::grant> all;
    for (;;) {
        auto one = xen::grant_access(xen::grants(), me, page->data(), access::read_only);
        if (!one) {
            std::printf("%s\n", one.error().message().c_str());
            HALVM_CHECK(one.error().code() == std::errc::no_space_on_device);
            break;
        }
        all.push_back(std::move(*one));
    }
    const auto& statistics = xen::grants().statistics();
    HALVM_CHECK(all.size() == statistics.limit - GNTTAB_NR_RESERVED_ENTRIES);
    const auto last = all.back().ref();
    HALVM_CHECK(map(std::span{&last, 1}, access::read_only));
    all.clear();
    HALVM_CHECK(statistics.in_use == 0);
    HALVM_CHECK(xen::grant_access(xen::grants(), me, page->data(), access::read_only));
}

void again_and_again() {
    auto shared = xen::share_pages(xen::grants(), me, 3, access::read_write);
    HALVM_CHECK(map(shared->refs()));
    const auto before = halvm::core::pages_count().free;
    const std::byte* where = nullptr;
    for (int i = 0; i < 2000; ++i) {
        auto seen = map(shared->refs());
        HALVM_CHECK(seen);
        // Addresses are used again, so that no page table is made twice.
        HALVM_CHECK(where == nullptr || seen->data() == where);
        where = seen->data();
    }
    HALVM_CHECK(halvm::core::pages_count().free == before);
}

void in_both_versions() {
    share_and_map();
    end_while_mapped();
    refused();
    again_and_again();
    exhaust();
}

[[noreturn]] void fault(std::string_view how) {
    auto shared = xen::share_pages(xen::grants(), me, 2, access::read_only);
    auto seen = map(shared->refs(), access::read_only);
    volatile std::byte* const page = seen->data();
    if (how == "write")
        page[0] = std::byte{1};
    if (how == "overrun")
        static_cast<void>(page[2 * xen::page_size]);
    if (how == "execute") {
        shared->data()[0] = std::byte{0xc3};
        reinterpret_cast<void (*)()>(seen->data())();
    }
    (void)seen->unmap();
    if (how == "unmapped")
        static_cast<void>(page[0]);
    std::exit(9);
}

}  // namespace

int halvm_main() {
    xen::guest domain;
    me = xen::own_domid(domain).value();
    if (const std::string_view how{halvm::command_line()}; !how.empty())
        fault(how);
    in_both_versions();
    const auto second = xen::grants().use_version_2();
    HALVM_CHECK(second);
    if (second)
        in_both_versions();
    else
        std::printf("%s\n", second.error().message().c_str());
    return report::verdict("grants");
}
