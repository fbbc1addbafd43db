// SPDX-License-Identifier: BSD-3-Clause
// Grants in a domain, counted: run where one instruction is one tick of the time stamp counter. Each operation stands
// beside the same hypercalls made bare, with structures that were filled in beforehand. The domain is its own peer.
#include <halvm/xen/grants.hpp>

#include <array>
#include <cstdint>
#include <cstdio>
#include <vector>

namespace {

namespace xen = halvm::xen;
using xen::access;

constexpr int times = 1000;

std::uint64_t ticks() { return __builtin_ia32_rdtsc(); }

template <class Run>
unsigned long count(Run run) {
    run();
    const auto before = ticks();
    for (int i = 0; i < times; ++i)
        run();
    return static_cast<unsigned long>((ticks() - before) / times);
}

void print(const char* metric, unsigned long ours, const char* rival, unsigned long theirs) {
    std::printf("%s\t%lu\t%s\t%lu\n", metric, ours, rival, theirs);
}

void map(std::span<const xen::grant_ref> refs, const char* metric) {
    auto& table = xen::grants();
    const auto ours = count([&] { (void)xen::map_grants(table, xen::dom0, refs, access::read_write); });

    auto* const window = static_cast<std::byte*>(table.domain().open_window(refs.size()));
    std::vector<gnttab_map_grant_ref_t> in;
    std::vector<gnttab_unmap_grant_ref_t> out(refs.size());
    for (std::size_t i = 0; i < refs.size(); ++i)
        in.push_back({table.domain().window_address(window + i * xen::page_size), GNTMAP_host_map, xen::raw(refs[i]), 0,
                      0, 0, 0});
    const auto bare = count([&] {
        table.operation(GNTTABOP_map_grant_ref, in.data(), in.size());
        for (std::size_t i = 0; i < in.size(); ++i)
            out[i] = {in[i].host_addr, 0, in[i].handle, 0};
        table.operation(GNTTABOP_unmap_grant_ref, out.data(), out.size());
    });
    table.domain().close_window(window, refs.size());
    print(metric, ours, "the two hypercalls bare", bare);
}

void copy(const xen::shared_pages& shared, std::size_t pieces_at_once, std::size_t size, const char* metric) {
    auto& table = xen::grants();
    auto local = xen::allocate_pages(table.domain(), pieces_at_once);
    std::vector<xen::copy_piece> pieces(pieces_at_once);
    const auto ours = count([&] {
        for (std::size_t i = 0; i < pieces.size(); ++i)
            pieces[i] = xen::copy_in(table.domain(), {xen::dom0, shared.refs()[i], 0},
                                     local->bytes().subspan(i * xen::page_size, size));
        (void)xen::copy_grants(table, std::span{pieces});
    });
    const auto bare = count([&] { table.operation(GNTTABOP_copy, pieces.data(), pieces.size()); });
    print(metric, ours, "the hypercall bare", bare);
}

}  // namespace

int halvm_main() {
    auto& table = xen::grants();
    xen::guest domain;
    auto shared = xen::share_pages(table, xen::dom0, 64, access::read_write);
    auto page = xen::allocate_pages(domain, 1);

    const auto nothing = count([&] { xen::call(domain, __HYPERVISOR_xen_version, XENVER_version, nullptr); });
    const auto grant_and_end = [&] {
        return count([&] {
            auto lent = xen::grant_access(table, xen::dom0, page->data(), access::read_write);
            (void)lent->end();
        });
    };
    const auto among_few = grant_and_end();
    print("grant and end access", among_few, "a bare hypercall", nothing);
    {
        std::vector<xen::grant> others;
        for (int i = 0; i < 10'000; ++i)
            others.push_back(xen::grant_access(table, xen::dom0, page->data(), access::read_only).value());
        print("grant and end access, 10000 others in use", grant_and_end(), "with 64 in use", among_few);
    }
    print("share a new zeroed page and end",
          count([&] { (void)xen::share_pages(table, xen::dom0, 1, access::read_write); }), "a bare hypercall", nothing);
    map(shared->refs().first(1), "map and unmap, 1 page");
    map(shared->refs().first(16), "map and unmap, 16 pages");
    copy(*shared, 1, 64, "copy, 1 of 64 bytes");
    copy(*shared, 16, 64, "copy, 16 of 64 bytes");
    copy(*shared, 64, 64, "copy, 64 of 64 bytes");
    copy(*shared, 1, xen::page_size, "copy, 1 page");
    return 0;
}
