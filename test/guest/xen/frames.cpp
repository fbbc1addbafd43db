// SPDX-License-Identifier: BSD-3-Clause
// Memory and frames under the real hypervisor: copies, transfers, protection, frames in a row, foreign frames. The
// domain is its own peer. With a word on the command line it then does what must end in a fault.
#include "report.hpp"

#include "core/heap.hpp"
#include "core/pages.hpp"

#include <halvm/program.hpp>
#include <halvm/xen/domain.hpp>
#include <halvm/xen/domain_memory.hpp>
#include <halvm/xen/grants.hpp>

#include <algorithm>
#include <cstring>
#include <string_view>
#include <vector>

namespace {

namespace xen = halvm::xen;
using xen::access;

xen::guest domain;
xen::domid me{};

std::byte pattern(std::size_t at) { return static_cast<std::byte>(at * 7 + at / 256 + 1); }

void copies() {
    auto& table = xen::grants();
    auto shared = xen::share_pages(table, me, 16, access::read_write);
    for (std::size_t i = 0; i < shared->bytes().size(); ++i)
        shared->data()[i] = pattern(i);
    // Memory of the heap, at an odd place, across the border of a page.
    std::vector<std::byte> heap(3 * xen::page_size);
    const auto into = halvm::bytes{heap}.subspan(1001, 3000);
    HALVM_CHECK(xen::copy_from_grant(table, {me, shared->refs()[2], 77}, into));
    for (std::size_t i = 0; i < into.size(); ++i)
        if (into[i] != pattern(2 * xen::page_size + 77 + i)) {
            HALVM_CHECK(!"every byte is copied");
            break;
        }
    HALVM_CHECK(heap[1000] == std::byte{} && heap[4001] == std::byte{});
    std::memset(into.data(), 0x33, into.size());
    HALVM_CHECK(xen::copy_to_grant(table, into, {me, shared->refs()[0], 1000}));
    HALVM_CHECK(shared->data()[999] == pattern(999) && shared->data()[1000] == std::byte{0x33} &&
                shared->data()[3999] == std::byte{0x33} && shared->data()[4000] == pattern(4000));

    auto local = xen::allocate_pages(domain, 16);
    std::vector<xen::copy_piece> pieces;
    for (std::size_t i = 0; i < 16; ++i)
        pieces.push_back(xen::copy_in(domain, {me, i == 5 ? xen::grant_ref{3'999'999} : shared->refs()[i], 0},
                                      local->bytes().subspan(i * xen::page_size, xen::page_size)));
    const auto refused = xen::copy_grants(table, std::span{pieces});
    HALVM_CHECK(!refused && refused.error() == (std::error_code{GNTST_bad_gntref, xen::grant_category()}));
    for (std::size_t i = 0; i < 16; ++i)
        HALVM_CHECK(pieces[i].outcome().has_value() == (i != 5));
    HALVM_CHECK(std::memcmp(local->page(15), shared->data() + 15 * xen::page_size, xen::page_size) == 0);
    HALVM_CHECK(shared->end());
}

void transfers() {
    auto& table = xen::grants();
    const auto before = halvm::core::pages_count().free;
    const auto reservation = xen::count_memory().reservation;
    for (int round = 0; round < 3; ++round) {
        auto slot = xen::accept_transfer(table, me);
        HALVM_CHECK(slot);
        if (!slot) {
            std::printf("%s\n", slot.error().message().c_str());
            return;
        }
        HALVM_CHECK(!slot->try_take());
        auto page = xen::allocate_pages(domain, 1);
        const auto frame = page->frame(0);
        std::strcpy(reinterpret_cast<char*>(page->data()), "handed over");
        HALVM_CHECK(xen::page_on(frame));
        const auto done = xen::transfer_page(table, me, slot->ref(), *page);
        HALVM_CHECK(done);
        if (!done) {
            std::printf("%s\n", done.error().message().c_str());
            return;
        }
        auto come = slot->take();
        HALVM_CHECK(come);
        HALVM_CHECK(come->frame(0) == frame);
        HALVM_CHECK(std::strcmp(reinterpret_cast<char*>(come->data()), "handed over") == 0);
        const auto lies_on = xen::page_on(frame);
        HALVM_CHECK(lies_on && xen::frame_behind(*lies_on) && *xen::frame_behind(*lies_on) == frame);
    }
    {
        auto slot = xen::accept_transfer(table, me);
        auto page = xen::allocate_pages(domain, 1);
        auto lent = xen::grant_access(table, me, page->data(), access::read_write);
        const auto ref = lent->ref();
        auto seen = xen::map_grants(table, me, std::span{&ref, 1}, access::read_write);
        page->data()[7] = std::byte{7};
        const auto refused = xen::transfer_page(table, me, slot->ref(), *page);
        HALVM_CHECK(!refused);
        std::printf("%s\n", refused.error().message().c_str());
        HALVM_CHECK(*page && page->data()[7] == std::byte{7});
        const auto uninvited = xen::transfer_page(table, me, xen::grant_ref{30000}, *page);
        HALVM_CHECK(!uninvited);
    }
    HALVM_CHECK(table.statistics().parked == 0 && table.statistics().parked_pages == 0);
    HALVM_CHECK(halvm::core::pages_count().free >= before);
    HALVM_CHECK(xen::count_memory().reservation == reservation);
}

void frames() {
    for (const std::size_t count : {1, 2, 64, 512}) {
        auto row = xen::allocate_contiguous(domain, count);
        HALVM_CHECK(row);
        if (!row) {
            std::printf("%s\n", row.error().message().c_str());
            continue;
        }
        for (std::size_t i = 0; i < count; ++i) {
            HALVM_CHECK(xen::raw(row->frame(i)) == xen::raw(row->frame(0)) + i);
            row->data()[i * xen::page_size + 1] = static_cast<std::byte>(i);
        }
        HALVM_CHECK(std::all_of(row->page(0) + 2, row->page(0) + xen::page_size,
                                [](std::byte one) { return one == std::byte{}; }));
    }
    HALVM_CHECK(!xen::allocate_contiguous(domain, std::size_t{1} << 20));
    auto page = xen::allocate_pages(domain, 1);
    const auto number = xen::page_on(page->frame(0));
    HALVM_CHECK(number && *xen::frame_behind(*number) == page->frame(0));
    HALVM_CHECK(!xen::page_on(xen::gfn{~std::uint64_t{0} >> 12}));
    HALVM_CHECK(!xen::frame_behind(xen::pfn{~std::uint64_t{0}}));
    const auto count = xen::count_memory();
    HALVM_CHECK(count.free <= count.mapped && count.mapped <= count.total && count.reservation >= count.total &&
                count.maximum >= count.reservation);
}

void protection() {
    const auto before = halvm::core::pages_count().free;
    for (const auto allowed : {xen::protection::read_only, xen::protection::none}) {
        auto kept = xen::allocate_pages(domain, 20);
        kept->data()[5] = std::byte{5};
        HALVM_CHECK(kept->protect(allowed));
        if (allowed == xen::protection::read_only)
            HALVM_CHECK(kept->data()[5] == std::byte{5});
        HALVM_CHECK(kept->protect(xen::protection::read_write));
        HALVM_CHECK(kept->data()[5] == std::byte{5});
        kept->data()[19 * xen::page_size] = std::byte{1};
        HALVM_CHECK(kept->protect(allowed));
    }
    // What was given back protected is memory as any other.
    HALVM_CHECK(halvm::core::pages_count().free == before);
    auto again = xen::allocate_pages(domain, 20);
    HALVM_CHECK(again);
}

void foreign(bool privileged) {
    const xen::gfn video{0xb8};
    auto seen = xen::map_foreign(domain, privileged ? xen::domid{DOMID_IO} : xen::dom0, std::span{&video, 1},
                                 access::read_only);
    HALVM_CHECK(seen.has_value() == privileged);
    if (!seen)
        std::printf("%s\n", seen.error().message().c_str());
    if (!privileged)
        HALVM_CHECK(seen.error().code() == std::errc::operation_not_permitted);
    HALVM_CHECK(!xen::map_foreign(domain, xen::domid{31000}, std::span{&video, 1}, access::read_only));
}

void heap_gives_back() {
    // What the heap keeps for each size of block and for its own books is taken before the count.
    const auto use = [] {
        std::vector<std::vector<char>> blocks;
        for (std::size_t size = 16; size < 64 * 1024; size += size / 2)
            for (int i = 0; i < 100; ++i)
                blocks.emplace_back(size);
    };
    use();
    const auto before = halvm::core::pages_count();
    for (int i = 0; i < 5; ++i)
        use();
    HALVM_CHECK(halvm::core::pages_count().free == before.free);
    HALVM_CHECK(halvm::core::pages_count().mapped == before.mapped);
}

[[noreturn]] void fault(std::string_view how) {
    auto kept = xen::allocate_pages(domain, 2);
    (void)kept->protect(how == "none" ? xen::protection::none : xen::protection::read_only);
    volatile std::byte* const page = kept->page(1);
    if (how == "none")
        static_cast<void>(page[0]);
    if (how == "write")
        page[0] = std::byte{1};
    if (how == "execute")
        reinterpret_cast<void (*)()>(kept->data())();
    std::exit(9);
}

}  // namespace

int halvm_main() {
    xen::guest domain;
    me = xen::own_domid(domain).value();
    if (const std::string_view how{halvm::command_line()}; !how.empty())
        fault(how);
    copies();
    transfers();
    frames();
    protection();
    foreign(me == xen::dom0);
    heap_gives_back();
    if (const auto second = xen::grants().use_version_2()) {
        copies();
        transfers();
    }
    return report::verdict("frames");
}
