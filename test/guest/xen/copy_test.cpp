// SPDX-License-Identifier: BSD-3-Clause
// Pages that one guest grants to another, which maps them and copies from and to them; HaLVM's CopyTest. With
// `version=2` on its command line a guest uses that version of the grant table.
#include "partner.hpp"

#include <halvm/xen/events.hpp>

#include <algorithm>

namespace {

namespace xen = halvm::xen;
using xen::access;

constexpr std::size_t read_pages = 20;  // more than one hypercall maps
constexpr std::size_t turn_at = 4000;   // in the page that both write to
enum : unsigned { shown, kept, copied_in, written, copied_out };

bool choose_version() {
    const char* const version = std::getenv("version");
    if (version == nullptr || std::string_view{version} != "2")
        return false;
    HALVM_CHECK(xen::grants().use_version_2());
    return xen::grants().version_2();
}

bool busy(const halvm::error& why) { return why.code() == std::errc::device_or_resource_busy; }

/// A grant of some bytes, which version 2 alone has.
void offer_part(const partner& with) {
    auto& table = xen::grants();
    auto page = xen::allocate_pages(table.domain(), 1).value();
    fill(page.bytes(), shown);
    auto part = xen::grant_part(table, with.id(), page.bytes().subspan(100, 200), access::read_write).value();
    with.tell("part", {raw(part.ref())});
    static_cast<void>(with.hear("part-used"));
    HALVM_CHECK(filled(page.bytes().first(150), shown));
    HALVM_CHECK(filled(page.bytes().subspan(150, 150), copied_in));
    HALVM_CHECK(filled(page.bytes().subspan(300), shown, 300));
    HALVM_CHECK(part.end());
}

void take_part(const partner& with) {
    auto& table = xen::grants();
    const auto ref = ref_of(with.hear("part").at(0));
    HALVM_CHECK(!xen::map_grants(table, with.id(), std::span{&ref, 1}, access::read_write));
    std::vector<std::byte> own(200);
    HALVM_CHECK(xen::copy_from_grant(table, {with.id(), ref, 100}, own));
    HALVM_CHECK(filled(own, shown, 100));
    HALVM_CHECK(!xen::copy_from_grant(table, {with.id(), ref, 99}, own));
    HALVM_CHECK(!xen::copy_from_grant(table, {with.id(), ref, 101}, own));
    own.resize(150);
    fill(own, copied_in);
    HALVM_CHECK(xen::copy_to_grant(table, own, {with.id(), ref, 150}));
    HALVM_CHECK(!xen::copy_to_grant(table, own, {with.id(), ref, 151}));
    with.tell("part-used");
}

void offer(const partner& with) {
    const bool version_2 = choose_version();
    auto& table = xen::grants();
    auto pages = xen::allocate_pages(table.domain(), read_pages).value();
    fill(pages.bytes(), shown);
    const halvm::const_bytes seen = pages.bytes();
    auto readable =
        xen::share_pages(table, with.id(), std::move(pages), access::read_only, xen::contents::kept).value();
    auto both = xen::allocate_pages(table.domain(), 1).value();
    auto writable = xen::grant_access(table, with.id(), both.data(), access::read_write).value();
    auto target = xen::allocate_pages(table.domain(), 1).value();
    fill(target.bytes(), kept);
    auto copied = xen::grant_access(table, with.id(), target.data(), access::read_write).value();
    auto port = xen::events().alloc_unbound(with.id()).value();
    std::vector<std::uint64_t> offered{raw(port.number()), raw(writable.ref()), raw(copied.ref())};
    for (const auto ref : readable.refs())
        offered.push_back(raw(ref));
    with.tell("offer", offered);

    turn turns{both.data() + turn_at, port};
    turns.await(1);
    HALVM_CHECK(filled(seen, shown));
    HALVM_CHECK(filled(both.bytes().first(turn_at), written));
    HALVM_CHECK(filled(target.bytes().first(1000), kept));
    HALVM_CHECK(filled(target.bytes().subspan(1000, 3000), copied_out));
    HALVM_CHECK(filled(target.bytes().subspan(4000, 96), shown, 3 * xen::page_size + 5));

    // A copy leaves nothing mapped; the others are mapped still.
    HALVM_CHECK(copied.end());
    const auto in_use = writable.end();
    HALVM_CHECK(!in_use && busy(in_use.error()));
    const auto pages_in_use = readable.end();
    HALVM_CHECK(!pages_in_use && busy(pages_in_use.error()));
    HALVM_CHECK(table.statistics().in_use == 1);
    HALVM_CHECK(table.statistics().parked == read_pages && table.statistics().parked_pages == read_pages);
    HALVM_CHECK(table.collect() == read_pages);
    // What is parked is shown as it was.
    turns.give(2);
    turns.await(3);
    with.tell("unmap");
    static_cast<void>(with.hear("unmapped"));
    HALVM_CHECK(writable.end());
    HALVM_CHECK(table.collect() == 0);
    HALVM_CHECK(table.statistics().in_use == 0 && table.statistics().parked_pages == 0);
    with.tell("ended");
    if (version_2)
        offer_part(with);
    static_cast<void>(with.hear("done"));
}

void take(const partner& with) {
    const bool version_2 = choose_version();
    auto& table = xen::grants();
    const auto peer = with.id();
    const auto offered = with.hear("offer");
    HALVM_CHECK(offered.size() == 3 + read_pages);
    auto port = xen::events().bind_interdomain(peer, xen::port{static_cast<evtchn_port_t>(offered.at(0))}).value();
    const auto writable = ref_of(offered.at(1));
    const auto copied = ref_of(offered.at(2));
    std::vector<xen::grant_ref> readable;
    std::transform(offered.begin() + 3, offered.end(), std::back_inserter(readable), ref_of);

    HALVM_CHECK(!xen::map_grants(table, peer, readable, access::read_write));
    // Each page for itself: the one that may be written is mapped.
    const std::array mixed{readable[0], writable, readable[1]};
    std::array<std::error_code, 3> statuses;
    {
        auto some = xen::map_each_grant(table, peer, mixed, access::read_write, statuses).value();
        HALVM_CHECK(statuses[0] && !statuses[1] && statuses[2]);
        HALVM_CHECK(!some.has(0) && some.has(1) && !some.has(2));
        fill(some.bytes().subspan(xen::page_size, turn_at), kept);
        HALVM_CHECK(table.statistics().mapped == 1);
    }
    HALVM_CHECK(table.statistics().mapped == 0);
    auto seen = xen::map_grants(table, peer, readable, access::read_only).value();
    auto both = xen::map_grants(table, peer, std::span{&writable, 1}, access::read_write).value();
    HALVM_CHECK(filled(seen.bytes(), shown));
    fill(both.bytes().first(turn_at), written);

    // From and to memory of the heap, at an odd place, across the border of a page.
    std::vector<std::byte> heap(3 * xen::page_size);
    const auto own = halvm::bytes{heap}.subspan(1001, 3000);
    HALVM_CHECK(xen::copy_from_grant(table, {peer, copied, 77}, own));
    HALVM_CHECK(filled(own, kept, 77));
    HALVM_CHECK(heap[1000] == std::byte{} && heap[4001] == std::byte{});
    fill(own, copied_out);
    HALVM_CHECK(xen::copy_to_grant(table, own, {peer, copied, 1000}));
    HALVM_CHECK(!xen::copy_to_grant(table, own, {peer, readable[0], 1000}));
    std::array across{xen::copy_across({peer, readable[3], 5}, {peer, copied, 4000}, 96)};
    HALVM_CHECK(xen::copy_grants(table, std::span{across}));
    auto local = xen::allocate_pages(table.domain(), read_pages).value();
    std::vector<xen::copy_piece> all;
    for (std::size_t i = 0; i < read_pages; ++i)
        all.push_back(xen::copy_in(table.domain(), {peer, readable[i], 0},
                                   local.bytes().subspan(i * xen::page_size, xen::page_size)));
    HALVM_CHECK(xen::copy_grants(table, std::span{all}));
    HALVM_CHECK(filled(local.bytes(), shown));

    turn turns{both.data() + turn_at, port};
    turns.give(1);
    turns.await(2);
    HALVM_CHECK(filled(seen.bytes(), shown));
    HALVM_CHECK(!xen::copy_from_grant(table, {peer, copied, 77}, own));
    turns.give(3);
    static_cast<void>(with.hear("unmap"));
    HALVM_CHECK(seen.unmap());
    HALVM_CHECK(both.unmap());
    HALVM_CHECK(table.statistics().mapped == 0 && table.statistics().stuck == 0);
    with.tell("unmapped");
    static_cast<void>(with.hear("ended"));
    HALVM_CHECK(!xen::map_grants(table, peer, std::span{&writable, 1}, access::read_write));
    HALVM_CHECK(!xen::map_grants(table, peer, std::span{readable}.first(1), access::read_only));
    if (version_2)
        take_part(with);
    with.tell("done");
}

}  // namespace

int halvm_main() { return play("copy_test", offer, take); }
