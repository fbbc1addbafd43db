// SPDX-License-Identifier: BSD-3-Clause
// A grant that is passed on: the first guest grants its pages to the second, which lets the third copy from and to
// them without having them mapped, nor looking into them. Version 2 of the grant table, of the second.
#include "partner.hpp"

namespace {

namespace xen = halvm::xen;
using xen::access;

enum : unsigned { shown, kept, changed };

void owns(const partner& with) {
    auto& table = xen::grants();
    auto page = xen::allocate_pages(table.domain(), 1).value();
    auto target = xen::allocate_pages(table.domain(), 1).value();
    fill(page.bytes(), shown);
    fill(target.bytes(), kept);
    auto readable = xen::grant_access(table, with.id(), page.data(), access::read_only).value();
    auto writable = xen::grant_access(table, with.id(), target.data(), access::read_write).value();
    with.tell("granted", {raw(readable.ref()), raw(writable.ref())});
    static_cast<void>(with.hear("copied"));
    HALVM_CHECK(filled(page.bytes(), shown));
    HALVM_CHECK(filled(target.bytes().first(100), kept));
    HALVM_CHECK(filled(target.bytes().subspan(100, 500), changed));
    HALVM_CHECK(filled(target.bytes().subspan(600), kept, 600));
    // Nobody has it mapped.
    HALVM_CHECK(readable.end());
    HALVM_CHECK(writable.end());
    with.tell("ended");
}

void passes_on(const partner& owner) {
    const partner third{"data/third"};
    auto& table = xen::grants();
    HALVM_CHECK(table.use_version_2());
    const auto granted = owner.hear("granted");
    const auto pass = [&](std::size_t which, access allowed) {
        return xen::grant_onward(table, third.id(), owner.id(), ref_of(granted.at(which)), allowed).value();
    };
    auto readable = pass(0, access::read_only);
    auto writable = pass(1, access::read_write);
    auto no_more_than_read = pass(1, access::read_only);
    auto more_than_granted = pass(0, access::read_write);
    third.tell("passed", {raw(readable.ref()), raw(writable.ref()), raw(no_more_than_read.ref()),
                          raw(more_than_granted.ref()), raw(owner.id()), granted.at(0)});
    static_cast<void>(third.hear("copied"));
    owner.tell("copied");
    static_cast<void>(owner.hear("ended"));
    third.tell("ended");
    static_cast<void>(third.hear("done"));
    for (auto* one : {&readable, &writable, &no_more_than_read, &more_than_granted})
        HALVM_CHECK(one->end());
    HALVM_CHECK(table.statistics().in_use == 0 && table.statistics().parked == 0);
}

void copies(const partner& with) {
    auto& table = xen::grants();
    const auto passed = with.hear("passed");
    const auto readable = ref_of(passed.at(0)), writable = ref_of(passed.at(1));
    const auto no_more_than_read = ref_of(passed.at(2)), more_than_granted = ref_of(passed.at(3));
    const xen::domid owner{static_cast<domid_t>(passed.at(4))};
    std::vector<std::byte> own(500);
    const auto read = [&](xen::domid from, xen::grant_ref ref) -> bool {
        return xen::copy_from_grant(table, {from, ref, 100}, own).has_value();
    };
    const auto write = [&](xen::grant_ref ref) -> bool {
        return xen::copy_to_grant(table, own, {with.id(), ref, 100}).has_value();
    };
    // It is the second guest's grant: the first has granted this one nothing, and there is nothing to map.
    HALVM_CHECK(!read(owner, ref_of(passed.at(5))));
    HALVM_CHECK(!xen::map_grants(table, with.id(), std::span{&readable, 1}, access::read_only));

    HALVM_CHECK(read(with.id(), readable) && filled(own, shown, 100));
    HALVM_CHECK(read(with.id(), no_more_than_read) && filled(own, kept, 100));
    fill(own, changed);
    HALVM_CHECK(!write(readable));
    HALVM_CHECK(!write(no_more_than_read));
    HALVM_CHECK(!write(more_than_granted));
    HALVM_CHECK(write(writable));
    with.tell("copied");
    static_cast<void>(with.hear("ended"));
    HALVM_CHECK(!read(with.id(), readable));
    HALVM_CHECK(!write(writable));
    with.tell("done");
}

}  // namespace

int halvm_main() { return play("passed_on", owns, passes_on, copies); }
