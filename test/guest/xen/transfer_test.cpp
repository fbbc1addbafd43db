// SPDX-License-Identifier: BSD-3-Clause
// A page that one guest hands over to another, frame and all, and gets back; HaLVM's TransferTest.
#include "partner.hpp"

#include <halvm/xen/domain_memory.hpp>

namespace {

namespace xen = halvm::xen;
using xen::access;

enum : unsigned { there, back, stays };

/// Hands a filled page over to who told its invitation under that name; tells the frame.
void send(const partner& with, const char* invitation, const char* sent, xen::page_owner page) {
    const auto frame = page.frame(0);
    const auto done = xen::transfer_page(xen::grants(), with.id(), ref_of(with.hear(invitation).at(0)), page);
    HALVM_CHECK(done);
    HALVM_CHECK(!page);
    HALVM_CHECK(!xen::page_on(frame));
    with.tell(sent, {raw(frame)});
}

void offer(const partner& with) {
    auto& table = xen::grants();
    const auto reservation = xen::count_memory().reservation;
    const auto gone = ref_of(with.hear("withdrawn").at(0));
    for (const auto ref : {gone, xen::grant_ref{30'000}}) {
        // Xen has taken the frame when it finds no invitation, and gives another for it.
        auto lost = xen::allocate_pages(table.domain(), 1).value();
        HALVM_CHECK(!xen::transfer_page(table, with.id(), ref, lost));
        HALVM_CHECK(!lost);
        HALVM_CHECK(table.statistics().parked_pages == 0);
        HALVM_CHECK(xen::count_memory().reservation == reservation);
    }
    auto page = xen::allocate_pages(table.domain(), 1).value();
    fill(page.bytes(), stays);
    const auto slot_of_peer = ref_of(with.hear("slot").at(0));
    auto lent = xen::grant_access(table, with.id(), page.data(), access::read_only).value();
    with.tell("lent", {raw(lent.ref())});
    static_cast<void>(with.hear("mapped"));
    HALVM_CHECK(!xen::transfer_page(table, with.id(), slot_of_peer, page));
    HALVM_CHECK(page && filled(page.bytes(), stays));
    with.tell("refused");
    static_cast<void>(with.hear("unmapped"));
    HALVM_CHECK(lent.end());

    auto given = xen::allocate_pages(table.domain(), 1).value();
    fill(given.bytes(), there);
    send(with, "slot", "sent", std::move(given));

    // The other way.
    auto slot = xen::accept_transfer(table, with.id()).value();
    HALVM_CHECK(!slot.try_take());
    with.tell("slot-back", {raw(slot.ref())});
    auto come = slot.take().value();
    HALVM_CHECK(!slot);
    HALVM_CHECK(filled(come.bytes(), back));
    HALVM_CHECK(with.hear("sent-back").at(0) == raw(come.frame(0)));
    HALVM_CHECK(xen::page_on(come.frame(0)));
    HALVM_CHECK(table.statistics().in_use == 0 && table.statistics().parked_pages == 0);
    HALVM_CHECK(xen::count_memory().reservation == reservation);
    with.tell("done");
}

void take(const partner& with) {
    auto& table = xen::grants();
    const auto reservation = xen::count_memory().reservation;
    auto withdrawn = xen::accept_transfer(table, with.id()).value();
    const auto gone = withdrawn.ref();
    withdrawn = {};
    HALVM_CHECK(xen::count_memory().reservation == reservation);
    // The reference is used again, for somebody else.
    auto other = xen::accept_transfer(table, xen::dom0).value();
    HALVM_CHECK(other.ref() == gone);
    with.tell("withdrawn", {raw(gone)});
    auto slot = xen::accept_transfer(table, with.id()).value();
    with.tell("slot", {raw(slot.ref())});
    const auto lent = ref_of(with.hear("lent").at(0));
    auto seen = xen::map_grants(table, with.id(), std::span{&lent, 1}, access::read_only).value();
    with.tell("mapped");
    static_cast<void>(with.hear("refused"));
    HALVM_CHECK(filled(seen.bytes(), stays));
    HALVM_CHECK(!slot.try_take());
    HALVM_CHECK(seen.unmap());
    with.tell("unmapped");

    const auto frame = with.hear("sent").at(0);
    auto come = slot.try_take().value();
    HALVM_CHECK(!slot);
    HALVM_CHECK(raw(come.frame(0)) == frame);
    HALVM_CHECK(filled(come.bytes(), there));
    fill(come.bytes(), back);
    send(with, "slot-back", "sent-back", std::move(come));
    static_cast<void>(with.hear("done"));
    other = {};
    HALVM_CHECK(table.statistics().in_use == 0 && table.statistics().parked_pages == 0);
    HALVM_CHECK(xen::count_memory().reservation == reservation);
}

}  // namespace

int halvm_main() { return play("transfer_test", offer, take); }
