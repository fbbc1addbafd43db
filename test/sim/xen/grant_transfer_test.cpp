// SPDX-License-Identifier: BSD-3-Clause
#include "grant_world.hpp"

#include <halvm/xen/grant_transfer.hpp>

#include "child.hpp"

#include <csignal>
#include <cstring>

namespace {

using namespace halvm;
using namespace halvm::sim;

struct transfer_world : grant_world {
    result<pages> page_with(const char* text) {
        auto page = xen::allocate_pages(ours, 1);
        if (page)
            std::strcpy(reinterpret_cast<char*>(page->data()), text);
        return page;
    }
    [[nodiscard]] std::size_t frames(const domain& of) const { return host.frames.owned_by(xen::raw(of.id())); }
};

const char* text_in(const pages& page) { return reinterpret_cast<const char*>(page.data()); }

TEST_CASE("transfers: a page goes over with its frame, and both sides have as much memory as before") {
    for (const bool second : {false, true}) {
        CAPTURE(second);
        transfer_world world;
        if (second)
            REQUIRE(world.their_table->use_version_2());
        auto page = world.page_with("hand over");
        REQUIRE(page);
        const auto frame = page->frame(0);
        auto slot = xen::accept_transfer(*world.their_table, world.ours.id());
        REQUIRE(slot);
        CHECK(slot->try_take().error().code() == std::errc::resource_unavailable_try_again);
        const auto sender = world.frames(world.ours);
        const auto receiver = world.frames(world.theirs);
        REQUIRE(xen::transfer_page(*world.our_table, world.theirs.id(), slot->ref(), *page));
        CHECK_FALSE(*page);
        auto come = slot->try_take();
        REQUIRE(come);
        CHECK_FALSE(*slot);
        CHECK(come->frame(0) == frame);
        CHECK(std::strcmp(text_in(*come), "hand over") == 0);
        CHECK(world.frames(world.theirs) == receiver + 1);
        // The sender's page went back to its allocator with a fresh frame, which that gave to the machine here.
        CHECK(world.frames(world.ours) == sender - 1);
        CHECK(world.our_table->statistics().parked_pages == 0);
    }
}

TEST_CASE("transfers: taking waits until the page comes, or until the limit") {
    transfer_world world;
    auto slot = xen::accept_transfer(*world.their_table, world.ours.id());
    REQUIRE(slot);
    const auto begin = world.host.now();
    const auto early = slot->take(fiber::wait_limit{begin + 5'000'000});
    CHECK(early.error().code() == std::errc::resource_unavailable_try_again);
    CHECK(world.host.now() == begin + 5'000'000);
    auto page = world.page_with("late");
    REQUIRE(page);
    world.host.after(10'000'000,
                     [&] { CHECK(xen::transfer_page(*world.our_table, world.theirs.id(), slot->ref(), *page)); });
    auto come = slot->take();
    REQUIRE(come);
    CHECK(std::strcmp(text_in(*come), "late") == 0);
}

TEST_CASE(
    "transfers: without an invitation, by another domain, or a second time, the page is lost but its place is not") {
    transfer_world world;
    auto& third = world.host.create();
    std::optional<table> other{std::in_place, third};
    const auto in_use = world.ours.pages_in_use();
    const auto refused = [&](table& sender, domid peer, grant_ref ref) {
        auto page = xen::allocate_pages(sender.domain(), 1);
        REQUIRE(page);
        const auto done = xen::transfer_page(sender, peer, ref, *page);
        REQUIRE_FALSE(done);
        CHECK_FALSE(*page);
        CHECK(sender.statistics().parked_pages == 0);
        return done.error().message();
    };
    CHECK(refused(*world.our_table, world.theirs.id(), grant_ref{8}) ==
          "transfer a page by grant 8 to domain 1: undefined error");
    refused(*world.our_table, domid{44}, grant_ref{8});
    auto slot = xen::accept_transfer(*world.their_table, third.id());
    REQUIRE(slot);
    refused(*world.our_table, world.theirs.id(), slot->ref());
    CHECK(world.ours.pages_in_use() == in_use);

    auto theirs = xen::allocate_pages(third, 1);
    REQUIRE(theirs);
    REQUIRE(xen::transfer_page(*other, world.theirs.id(), slot->ref(), *theirs));
    refused(*other, world.theirs.id(), slot->ref());
    CHECK(slot->try_take());
}

TEST_CASE("transfers: a page that is granted cannot go, and stays usable") {
    transfer_world world;
    auto page = world.page_with("seen");
    REQUIRE(page);
    auto lent = xen::grant_access(*world.our_table, world.theirs.id(), page->data(), xen::access::read_only);
    REQUIRE(lent);
    auto seen = world.map(lent->ref(), xen::access::read_only);
    REQUIRE(seen);
    auto slot = xen::accept_transfer(*world.their_table, world.ours.id());
    REQUIRE(slot);
    const auto refused = xen::transfer_page(*world.our_table, world.theirs.id(), slot->ref(), *page);
    CHECK(refused.error() == std::error_code{GNTST_bad_page, xen::grant_category()});
    CHECK(std::strcmp(text_in(*page), "seen") == 0);
    CHECK(std::strcmp(reinterpret_cast<const char*>(seen->data()), "seen") == 0);
}

TEST_CASE("transfers: an invitation that is dropped is taken back, with the page if it has come") {
    transfer_world world;
    grant_ref ref{};
    {
        auto slot = xen::accept_transfer(*world.their_table, world.ours.id());
        REQUIRE(slot);
        ref = slot->ref();
    }
    auto page = world.page_with("nobody waits");
    REQUIRE(page);
    CHECK_FALSE(xen::transfer_page(*world.our_table, world.theirs.id(), ref, *page));
    page = world.page_with("nobody takes");
    REQUIRE(page);
    {
        auto slot = xen::accept_transfer(*world.their_table, world.ours.id());
        REQUIRE(slot);
        REQUIRE(xen::transfer_page(*world.our_table, world.theirs.id(), slot->ref(), *page));
    }
    CHECK(world.their_table->statistics().parked == 0);
    CHECK(world.theirs.pages_in_use() == 0);
}

TEST_CASE("transfers: a page without a frame is parked until Xen has another for it") {
    transfer_world world;
    auto page = world.page_with("gone");
    REQUIRE(page);
    auto slot = xen::accept_transfer(*world.their_table, world.ours.id());
    REQUIRE(slot);
    world.ours.frames_limit = 0;
    REQUIRE(xen::transfer_page(*world.our_table, world.theirs.id(), slot->ref(), *page));
    CHECK(world.our_table->statistics().parked_pages == 1);
    CHECK(world.ours.pages_in_use() == 1);
    world.ours.frames_limit = SIZE_MAX;
    world.our_table->collect();
    CHECK(world.our_table->statistics().parked_pages == 0);
    CHECK(world.ours.pages_in_use() == 0);
}

TEST_CASE(
    "transfers: a receiver without room is refused by Xen, and an invitation that cannot be made leaves nothing") {
    transfer_world world;
    auto page = world.page_with("no room");
    REQUIRE(page);
    world.host.refuse(world.theirs, __HYPERVISOR_memory_op, XENMEM_decrease_reservation, -XEN_EPERM);
    const auto refused = xen::accept_transfer(*world.their_table, world.ours.id());
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code() == std::errc::operation_not_permitted);
    CHECK(world.theirs.pages_in_use() == 0);
    auto slot = xen::accept_transfer(*world.their_table, world.ours.id());
    REQUIRE(slot);
    world.theirs.frames_limit = 0;
    CHECK_FALSE(xen::transfer_page(*world.our_table, world.theirs.id(), slot->ref(), *page));
    CHECK_FALSE(*page);
    world.theirs.frames_limit = SIZE_MAX;
}

TEST_CASE("pages: a protection holds until it is changed or the pages go") {
    sim::hypervisor host;
    auto& one = host.create();
    auto kept = xen::allocate_pages(one, 2);
    REQUIRE(kept);
    const auto write_faults = [&] {
        return test::in_child([&] {
                   std::signal(SIGSEGV, SIG_DFL);
                   static_cast<volatile std::byte*>(kept->data())[4096] = std::byte{1};
                   return 0;
               }).signal == SIGSEGV;
    };
    CHECK_FALSE(write_faults());
    REQUIRE(kept->protect(xen::protection::read_only));
    CHECK(kept->data()[0] == std::byte{});
    CHECK(write_faults());
    REQUIRE(kept->protect(xen::protection::read_write));
    CHECK_FALSE(write_faults());
    const std::byte* const where = kept->data();
    REQUIRE(kept->protect(xen::protection::none));
    *kept = pages{};
    auto next = xen::allocate_pages(one, 2);
    REQUIRE(next);
    CHECK(next->data() == where);
    next->data()[0] = std::byte{1};
}

TEST_CASE("foreign mappings: a privileged domain maps any domain's frames, others are not permitted") {
    sim::hypervisor host;
    auto& first = host.create();
    auto& other = host.create();
    auto page = xen::allocate_pages(other, 1);
    REQUIRE(page);
    page->data()[0] = std::byte{42};
    const auto frame = page->frame(0);
    {
        auto seen = xen::map_foreign(first, other.id(), std::span{&frame, 1}, xen::access::read_only);
        REQUIRE(seen);
        CHECK(seen->bytes()[0] == std::byte{42});
    }
    CHECK(first.windows_in_use() == 0);
    const auto refused = xen::map_foreign(other, first.id(), std::span{&frame, 1}, xen::access::read_only);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code() == std::errc::operation_not_permitted);
    CHECK(refused.error().message() == "map 1 frames of domain 0: Operation not permitted");
    CHECK(other.windows_in_use() == 0);
}

}  // namespace
