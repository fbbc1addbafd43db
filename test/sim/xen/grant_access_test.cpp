// SPDX-License-Identifier: BSD-3-Clause
#include "grant_world.hpp"

#include "child.hpp"

#include <algorithm>
#include <csignal>
#include <cstring>

namespace {

using namespace halvm;
using namespace halvm::sim;

const std::error_code busy{XEN_EBUSY, xen::hypercall_category()};

void for_versions(void (*test)(grant_world& world)) {
    for (const bool second : {false, true}) {
        CAPTURE(second);
        grant_world world;
        if (second)
            REQUIRE(world.our_table->use_version_2());
        test(world);
    }
}

TEST_CASE("grants: a page that is granted and mapped is the same memory on both sides") {
    for_versions([](grant_world& world) {
        auto shared = xen::share_pages(*world.our_table, world.theirs.id(), 1, access::read_write);
        REQUIRE(shared);
        CHECK(xen::raw(shared->refs()[0]) == GNTTAB_NR_RESERVED_ENTRIES);
        auto seen = world.map(shared->refs()[0]);
        REQUIRE(seen);
        std::strcpy(reinterpret_cast<char*>(shared->data()), "from us");
        CHECK(std::strcmp(reinterpret_cast<char*>(seen->data()), "from us") == 0);
        std::strcpy(reinterpret_cast<char*>(seen->data()), "from them");
        CHECK(std::strcmp(reinterpret_cast<char*>(shared->data()), "from them") == 0);
        REQUIRE(seen->unmap());
        CHECK_FALSE(*seen);
        auto back = shared->end();
        REQUIRE(back);
        CHECK(back->count() == 1);
    });
}

TEST_CASE("grants: a read-only grant cannot be mapped writable, nor written where it is mapped") {
    for_versions([](grant_world& world) {
        auto shared = xen::share_pages(*world.our_table, world.theirs.id(), 1, access::read_only);
        REQUIRE(shared);
        const auto refused = world.map(shared->refs()[0]);
        REQUIRE_FALSE(refused);
        CHECK(refused.error() == std::error_code{GNTST_general_error, xen::grant_category()});
        CHECK(refused.error().message() == "map grant 8 of domain 0: undefined error");
        auto seen = world.map(shared->refs()[0], access::read_only);
        REQUIRE(seen);
        CHECK(seen->data()[0] == std::byte{});
        CHECK(test::in_child([&] {
                  std::signal(SIGSEGV, SIG_DFL);
                  static_cast<volatile std::byte*>(seen->data())[0] = std::byte{1};
                  return 0;
              }).signal == SIGSEGV);
    });
}

TEST_CASE("grants: only the domain that was named can map, and not after the end") {
    for_versions([](grant_world& world) {
        auto& third = world.host.create();
        table other{third};
        auto shared = xen::share_pages(*world.our_table, world.theirs.id(), 1, access::read_write);
        REQUIRE(shared);
        const grant_ref ref = shared->refs()[0];
        CHECK_FALSE(xen::map_grants(other, world.ours.id(), std::span{&ref, 1}, access::read_only));
        REQUIRE(shared->end());
        CHECK_FALSE(world.map(ref));
        CHECK_FALSE(xen::map_grants(*world.their_table, domid{77}, std::span{&ref, 1}, access::read_only));
        CHECK(world.their_table->statistics().mapped == 0);
    });
}

TEST_CASE("grants: pages of the caller's are zeroed before a peer sees them, unless it says otherwise") {
    grant_world world;
    for (const auto found : {xen::contents::zeroed, xen::contents::kept}) {
        auto own = xen::allocate_pages(world.ours, 2);
        REQUIRE(own);
        std::fill(own->bytes().begin(), own->bytes().end(), std::byte{0x5a});
        auto shared = xen::share_pages(*world.our_table, world.theirs.id(), std::move(*own), access::read_write, found);
        REQUIRE(shared);
        auto seen = world.map(shared->refs());
        REQUIRE(seen);
        const auto wanted = found == xen::contents::zeroed ? std::byte{} : std::byte{0x5a};
        CHECK(std::all_of(seen->bytes().begin(), seen->bytes().end(), [&](std::byte one) { return one == wanted; }));
    }
}

TEST_CASE("grants: while the peer has a page mapped its grant does not end, and is not changed") {
    for_versions([](grant_world& world) {
        auto page = xen::allocate_pages(world.ours, 1);
        REQUIRE(page);
        auto grant = xen::grant_access(*world.our_table, world.theirs.id(), page->data(), access::read_write);
        REQUIRE(grant);
        auto seen = world.map(grant->ref());
        REQUIRE(seen);
        const auto refused = grant->end();
        REQUIRE_FALSE(refused);
        CHECK(refused.error() == busy);
        CHECK(refused.error().message() ==
              "end grant 8 to domain 1: it still has the page mapped: Device or resource busy");
        CHECK(*grant);
        seen->data()[0] = std::byte{7};
        CHECK(page->data()[0] == std::byte{7});
        REQUIRE(seen->unmap());
        CHECK(grant->end());
        CHECK_FALSE(*grant);
    });
}

TEST_CASE("grants: what a peer keeps mapped is parked, used for nothing else, and comes back when it lets go") {
    for_versions([](grant_world& world) {
        std::optional<result<mapping>> seen;
        const std::byte* address = nullptr;
        grant_ref ref{};
        {
            auto shared = xen::share_pages(*world.our_table, world.theirs.id(), 3, access::read_write);
            REQUIRE(shared);
            address = shared->data();
            ref = shared->refs()[1];
            seen.emplace(world.map(ref));
            REQUIRE(*seen);
        }
        const auto& statistics = world.our_table->statistics();
        CHECK(statistics.in_use == 0);
        CHECK(statistics.parked >= 1);
        CHECK(statistics.parked_pages == 3);
        CHECK(world.ours.pages_in_use() == 3);

        // New ones get other pages and other references, also while the parked ones are tried again.
        for (int i = 0; i < 8; ++i) {
            auto other = xen::share_pages(*world.our_table, world.theirs.id(), 1, access::read_write);
            REQUIRE(other);
            CHECK((other->data() < address || other->data() >= address + 3 * xen::page_size));
            CHECK(other->refs()[0] != ref);
        }
        CHECK(statistics.parked == 1);
        REQUIRE((*seen)->unmap());
        auto next = xen::share_pages(*world.our_table, world.theirs.id(), 1, access::read_write);
        REQUIRE(next);
        CHECK(statistics.parked == 0);
        CHECK(statistics.parked_pages == 0);
        CHECK(world.ours.pages_in_use() == 1);
    });
}

TEST_CASE("grants: ending pages that a peer keeps mapped is an error, and they are parked") {
    grant_world world;
    auto shared = xen::share_pages(*world.our_table, world.theirs.id(), 2, access::read_write);
    REQUIRE(shared);
    auto seen = world.map(shared->refs()[0]);
    REQUIRE(seen);
    const auto ended = shared->end();
    REQUIRE_FALSE(ended);
    CHECK(ended.error() == busy);
    CHECK_FALSE(*shared);
    CHECK(world.our_table->statistics().parked == 1);
    CHECK(world.our_table->collect() == 1);
    REQUIRE(seen->unmap());
    CHECK(world.our_table->collect() == 0);
    CHECK(world.ours.pages_in_use() == 0);
}

TEST_CASE("grants: references of lent memory that a peer keeps are parked in order, and all come back") {
    grant_world world;
    auto memory = xen::allocate_pages(world.ours, 4);
    REQUIRE(memory);
    std::vector<result<mapping>> seen;
    for (std::size_t i = 0; i < 4; ++i) {
        auto lent = xen::grant_access(*world.our_table, world.theirs.id(), memory->page(i), access::read_write);
        REQUIRE(lent);
        seen.push_back(world.map(lent->ref()));
        REQUIRE(seen.back());
    }
    CHECK(world.our_table->statistics().parked == 4);
    CHECK(world.our_table->collect() == 4);
    REQUIRE(seen[1]->unmap());
    REQUIRE(seen[3]->unmap());
    CHECK(world.our_table->collect() == 2);
    REQUIRE(seen[0]->unmap());
    REQUIRE(seen[2]->unmap());
    CHECK(world.our_table->collect() == 0);
}

TEST_CASE("grants: an end that races with the peer's mapping either wins or is refused") {
    // The peer maps between our look at the entry and the moment when Xen would see our change: after the end began it
    // finds nothing, before it we find its mark. Here it maps in the last hypercall before the end.
    for_versions([](grant_world& world) {
        auto shared = xen::share_pages(*world.our_table, world.theirs.id(), 1, access::read_write);
        REQUIRE(shared);
        auto seen = world.map(shared->refs()[0]);
        REQUIRE(seen);
        auto again = world.map(shared->refs()[0], access::read_only);
        REQUIRE(again);
        REQUIRE(seen->unmap());
        CHECK_FALSE(shared->end());
        REQUIRE(again->unmap());
    });
}

TEST_CASE("grants: an unaligned range is cut at page borders, each piece with its own offset") {
    struct {
        std::size_t offset, size;
        std::vector<std::pair<unsigned, unsigned>> pieces;
    } const cases[] = {
        {0, 4096, {{0, 4096}}},
        {0, 1, {{0, 1}}},
        {4095, 1, {{4095, 1}}},
        {4095, 2, {{4095, 1}, {0, 1}}},
        {100, 4096, {{100, 3996}, {0, 100}}},
        {100, 8192, {{100, 3996}, {0, 4096}, {0, 100}}},
        {1, 12287, {{1, 4095}, {0, 4096}, {0, 4096}}},
    };
    grant_world world;
    auto memory = xen::allocate_pages(world.ours, 3);
    REQUIRE(memory);
    for (std::size_t i = 0; i < memory->bytes().size(); ++i)
        memory->bytes()[i] = static_cast<std::byte>(i * 7 + i / 256);
    for (const auto& one : cases) {
        CAPTURE(one.offset);
        CAPTURE(one.size);
        const auto wanted = memory->bytes().subspan(one.offset, one.size);
        auto range = xen::grant_range(*world.our_table, world.theirs.id(), wanted, access::read_only);
        REQUIRE(range);
        REQUIRE(range->count() == one.pieces.size());
        std::vector<std::byte> found;
        for (std::size_t i = 0; i < range->count(); ++i) {
            const auto piece = range->piece(i);
            CHECK(piece.offset == one.pieces[i].first);
            CHECK(piece.size == one.pieces[i].second);
            auto seen = world.map(piece.ref, access::read_only);
            REQUIRE(seen);
            const auto part = seen->bytes().subspan(piece.offset, piece.size);
            found.insert(found.end(), part.begin(), part.end());
        }
        CHECK(std::equal(found.begin(), found.end(), wanted.begin(), wanted.end()));
        CHECK(range->end());
        CHECK(range->count() == 0);
    }
}

TEST_CASE("grants: the table grows as far as Xen lets it, then a grant is refused, and nothing is lost") {
    for_versions([](grant_world& world) {
        auto page = xen::allocate_pages(world.ours, 1);
        REQUIRE(page);
        std::vector<grant> all;
        for (;;) {
            auto one = xen::grant_access(*world.our_table, world.theirs.id(), page->data(), access::read_only);
            if (!one) {
                CHECK(one.error().code() == std::errc::no_space_on_device);
                CHECK(one.error().message() == "grant to domain 1: all " +
                                                   std::to_string(world.our_table->statistics().capacity) +
                                                   " references of the grant table are taken: out of space");
                break;
            }
            all.push_back(std::move(*one));
        }
        const auto& statistics = world.our_table->statistics();
        CHECK(statistics.capacity == statistics.limit);
        CHECK(statistics.limit == 4 * (world.our_table->version_2() ? 256 : 512));
        CHECK(all.size() == statistics.limit - GNTTAB_NR_RESERVED_ENTRIES);
        std::vector<grant_ref> refs;
        for (const auto& one : all)
            refs.push_back(one.ref());
        std::sort(refs.begin(), refs.end());
        CHECK(std::adjacent_find(refs.begin(), refs.end()) == refs.end());
        CHECK(xen::raw(refs.front()) == GNTTAB_NR_RESERVED_ENTRIES);

        // A range that does not fit gives back what it had got.
        all.resize(all.size() - 2);
        auto many = xen::allocate_pages(world.ours, 3);
        REQUIRE(many);
        CHECK_FALSE(xen::grant_range(*world.our_table, world.theirs.id(), many->bytes(), access::read_only));
        CHECK_FALSE(xen::share_pages(*world.our_table, world.theirs.id(), std::move(*many), access::read_only));
        CHECK(statistics.in_use == all.size());
        CHECK(world.ours.pages_in_use() == 1);
        all.clear();
        CHECK(xen::grant_access(*world.our_table, world.theirs.id(), page->data(), access::read_only));
    });
}

TEST_CASE("grants: when Xen refuses any step of setting up the table it is an error, and the next attempt succeeds") {
    for (const bool second : {false, true})
        for (const unsigned step : {GNTTABOP_query_size, GNTTABOP_setup_table, GNTTABOP_get_status_frames}) {
            if (step == GNTTABOP_get_status_frames && !second)
                continue;
            CAPTURE(step);
            grant_world world;
            if (second)
                REQUIRE(world.our_table->use_version_2());
            world.host.refuse(world.ours, __HYPERVISOR_grant_table_op, step, -XEN_ENOMEM);
            const auto refused = xen::share_pages(*world.our_table, world.theirs.id(), 1, access::read_only);
            REQUIRE_FALSE(refused);
            CHECK(refused.error().code() == std::errc::not_enough_memory);
            CHECK(xen::share_pages(*world.our_table, world.theirs.id(), 1, access::read_only));
        }
}

TEST_CASE("grants: version 2 is refused while references are in use, and where Xen allows version 1 only") {
    grant_world world;
    auto shared = xen::share_pages(*world.our_table, world.theirs.id(), 1, access::read_only);
    REQUIRE(shared);
    CHECK(world.our_table->use_version_2().error() == busy);
    REQUIRE(shared->end());
    world.theirs.grants.only_version_1 = true;
    CHECK(world.their_table->use_version_2().error().code() == std::errc::function_not_supported);
    CHECK(xen::share_pages(*world.their_table, world.ours.id(), 1, access::read_only));
    // A table that is in place already is set up again.
    CHECK(world.our_table->use_version_2());
    CHECK(xen::share_pages(*world.our_table, world.theirs.id(), 1, access::read_only));
    CHECK(world.our_table->statistics().limit == 4 * 256);
}

TEST_CASE("mappings: when one of many grants is bad the others are unmapped again, and the error names it") {
    grant_world world;
    auto shared = xen::share_pages(*world.our_table, world.theirs.id(), 40, access::read_write);
    REQUIRE(shared);
    std::vector<grant_ref> refs(shared->refs().begin(), shared->refs().end());
    for (const std::size_t bad : {0, 15, 16, 39}) {
        auto some = refs;
        some[bad] = grant_ref{1'000'000};
        const auto refused = world.map(some);
        REQUIRE_FALSE(refused);
        CHECK(refused.error().message() == "map grant 1000000 of domain 0: invalid grant reference");
        CHECK(world.their_table->statistics().mapped == 0);
        CHECK(world.theirs.grants.mapped.empty());
        CHECK(world.theirs.windows_in_use() == 0);
    }
    auto seen = world.map(refs);
    REQUIRE(seen);
    for (std::size_t i = 0; i < refs.size(); ++i) {
        shared->data()[i * xen::page_size] = static_cast<std::byte>(i);
        CHECK(seen->data()[i * xen::page_size] == static_cast<std::byte>(i));
    }
}

TEST_CASE("mappings: each page has a status of its own, and those that can be mapped are") {
    grant_world world;
    auto shared = xen::share_pages(*world.our_table, world.theirs.id(), 20, access::read_write);
    auto only_read = xen::share_pages(*world.our_table, world.theirs.id(), 1, access::read_only);
    REQUIRE(shared);
    REQUIRE(only_read);
    std::vector<grant_ref> refs(shared->refs().begin(), shared->refs().end());
    refs[3] = grant_ref{1'000'000};
    refs[17] = only_read->refs()[0];
    std::vector<std::error_code> statuses(refs.size(), busy);
    {
        auto seen =
            xen::map_each_grant(*world.their_table, world.ours.id(), refs, access::read_write, std::span{statuses});
        REQUIRE(seen);
        CHECK(world.their_table->statistics().mapped == 18);
        for (std::size_t i = 0; i < refs.size(); ++i) {
            CAPTURE(i);
            CHECK(seen->has(i) == (i != 3 && i != 17));
            if (i == 3)
                CHECK(statuses[i] == std::error_code{GNTST_bad_gntref, xen::grant_category()});
            else if (i == 17)
                CHECK(statuses[i] == std::error_code{GNTST_general_error, xen::grant_category()});
            else {
                CHECK_FALSE(statuses[i]);
                seen->data()[i * xen::page_size] = static_cast<std::byte>(i);
                CHECK(shared->data()[i * xen::page_size] == static_cast<std::byte>(i));
            }
        }
    }
    CHECK(world.theirs.grants.mapped.empty());
    CHECK(world.their_table->statistics().mapped == 0);

    // None at all is no error of the call.
    std::fill(refs.begin(), refs.end(), grant_ref{1'000'000});
    auto none = xen::map_each_grant(*world.their_table, world.ours.id(), refs, access::read_write, std::span{statuses});
    REQUIRE(none);
    CHECK(std::all_of(statuses.begin(), statuses.end(), [](auto status) { return bool{status}; }));
    CHECK(none->unmap());
    world.host.refuse(world.theirs, __HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, -XEN_EFAULT, 1, 1);
    none = xen::map_each_grant(*world.their_table, world.ours.id(), shared->refs(), access::read_write,
                               std::span{statuses});
    REQUIRE(none);
    for (std::size_t i = 0; i < statuses.size(); ++i)
        CHECK((statuses[i] == std::errc::bad_address) == (i >= 16));
}

TEST_CASE("mappings: pages that Xen defers are tried again while other fibers run, and not for ever") {
    grant_world world;
    auto shared = xen::share_pages(*world.our_table, world.theirs.id(), 20, access::read_write);
    REQUIRE(shared);
    int others = 0;
    bool stop = false;
    auto busy_one = fiber::spawn([&] {
        for (; !stop; ++others)
            fiber::yield();
    });
    world.theirs.grants.maps_to_defer = 100;
    CHECK(world.map(shared->refs()));
    CHECK(others >= 5);
    world.theirs.grants.maps_to_defer = 1'000'000;
    const auto refused = world.map(shared->refs()[5]);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code() == std::errc::resource_unavailable_try_again);
    stop = true;
    busy_one.join();
}

TEST_CASE("mappings: a hypercall that Xen refuses as a whole maps nothing") {
    grant_world world;
    auto shared = xen::share_pages(*world.our_table, world.theirs.id(), 20, access::read_write);
    REQUIRE(shared);
    for (const unsigned let_through : {0, 1}) {
        world.host.refuse(world.theirs, __HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, -XEN_EFAULT, 1,
                          let_through);
        const auto refused = world.map(shared->refs());
        REQUIRE_FALSE(refused);
        CHECK(refused.error().code() == std::errc::bad_address);
    }
    CHECK(world.theirs.grants.mapped.empty());
}

TEST_CASE("mappings: pages that Xen does not unmap stay mapped, and can be unmapped later") {
    grant_world world;
    auto shared = xen::share_pages(*world.our_table, world.theirs.id(), 20, access::read_write);
    REQUIRE(shared);
    auto seen = world.map(shared->refs());
    REQUIRE(seen);
    world.host.refuse(world.theirs, __HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref, -XEN_EFAULT);
    const auto refused = seen->unmap();
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code() == std::errc::bad_address);
    CHECK(*seen);
    CHECK(world.theirs.grants.mapped.size() == 16);
    REQUIRE(seen->unmap());
    CHECK(world.theirs.grants.mapped.empty());
    CHECK(world.their_table->statistics().stuck == 0);
}

TEST_CASE("mappings: the pages of a domain that was destroyed can still be unmapped") {
    grant_world world;
    auto& third = world.host.create();
    std::optional<table> other{std::in_place, third};
    auto shared = xen::share_pages(*other, world.theirs.id(), 2, access::read_write);
    REQUIRE(shared);
    auto seen = xen::map_grants(*world.their_table, third.id(), shared->refs(), access::read_write);
    REQUIRE(seen);
    world.host.destroy(third);
    seen->data()[0] = std::byte{1};
    CHECK(seen->unmap());
    CHECK(shared->end());
}

TEST_CASE("simulated grants: unmapping without an address unmaps nothing, as in Xen") {
    grant_world world;
    auto shared = xen::share_pages(*world.our_table, world.theirs.id(), 1, access::read_write);
    REQUIRE(shared);
    auto seen = world.map(shared->refs()[0]);
    REQUIRE(seen);
    gnttab_unmap_grant_ref_t request{0, 0, world.theirs.grants.mapped.begin()->first, GNTST_general_error};
    CHECK(world.their_table->operation(GNTTABOP_unmap_grant_ref, &request) == 0);
    CHECK(request.status == GNTST_okay);
    CHECK(world.theirs.grants.mapped.size() == 1);
    CHECK_FALSE(shared->end());
    CHECK(seen->unmap());
}

TEST_CASE("simulated grants: an entry that is used anew while a peer has its page mapped is a violation") {
    grant_world world;
    auto pages = xen::allocate_pages(world.ours, 2);
    REQUIRE(pages);
    auto grant = xen::grant_access(*world.our_table, world.theirs.id(), pages->page(0), access::read_write);
    REQUIRE(grant);
    auto seen = world.map(grant->ref());
    REQUIRE(seen);
    world.our_table->entries().publish(grant->ref(), world.theirs.id(), pages->frame(1), GTF_permit_access);
    REQUIRE(seen->unmap());
    CHECK(world.host.take_violations().size() == 1);
}

}  // namespace
