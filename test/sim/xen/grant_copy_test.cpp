// SPDX-License-Identifier: BSD-3-Clause
#include "grant_world.hpp"

#include <halvm/xen/grant_copy.hpp>

#include <algorithm>
#include <cstring>

namespace {

using namespace halvm;
using namespace halvm::sim;
using xen::page_size;

std::byte pattern(std::size_t at) { return static_cast<std::byte>(at * 7 + at / 256 + 1); }

/// A page that we granted, and pages of the peer's to copy to and from.
struct copy_world : grant_world {
    explicit copy_world(xen::access allowed = xen::access::read_write)
        : shared{*xen::share_pages(*our_table, theirs.id(), 1, allowed)}, local{*xen::allocate_pages(theirs, 3)} {
        for (std::size_t i = 0; i < page_size; ++i)
            shared.data()[i] = pattern(i);
    }
    [[nodiscard]] xen::granted_bytes at(std::size_t offset) const { return {ours.id(), shared.refs()[0], offset}; }

    shared_pages shared;
    pages local;
};

TEST_CASE("copies: bytes go both ways between a granted page and memory that begins and ends anywhere") {
    copy_world world;
    for (const std::size_t local : {0u, 1u, 4000u, 4095u})
        for (const std::size_t remote : {0u, 5u, 2048u})
            for (const std::size_t size : {1u, 100u, 2048u}) {
                CAPTURE(local);
                CAPTURE(remote);
                CAPTURE(size);
                std::fill(world.local.bytes().begin(), world.local.bytes().end(), std::byte{0xee});
                const auto into = world.local.bytes().subspan(local, size);
                REQUIRE(xen::copy_from_grant(*world.their_table, world.at(remote), into));
                for (std::size_t i = 0; i < world.local.bytes().size(); ++i) {
                    const bool inside = i >= local && i < local + size;
                    if (world.local.bytes()[i] != (inside ? pattern(remote + i - local) : std::byte{0xee}))
                        FAIL_CHECK("byte " << i);
                }
                std::fill(into.begin(), into.end(), std::byte{0x11});
                REQUIRE(xen::copy_to_grant(*world.their_table, into, world.at(remote)));
                for (std::size_t i = 0; i < page_size; ++i) {
                    const bool inside = i >= remote && i < remote + size;
                    if (world.shared.data()[i] != (inside ? std::byte{0x11} : pattern(i)))
                        FAIL_CHECK("byte " << i);
                    world.shared.data()[i] = pattern(i);
                }
            }
}

TEST_CASE("copies: in a batch each one tells of itself, and a bad one keeps no other from being made") {
    copy_world world;
    std::vector<xen::copy_piece> pieces;
    for (std::size_t i = 0; i < 20; ++i) {
        auto from = world.at(i * 100);
        if (i == 7)
            from.ref = grant_ref{999'999};
        if (i == 11)
            from.owner = domid{55};
        pieces.push_back(xen::copy_in(world.theirs, from, world.local.bytes().subspan(i * 100, 100)));
    }
    const auto done = xen::copy_grants(*world.their_table, std::span{pieces});
    REQUIRE_FALSE(done);
    CHECK(done.error().message() == "copy from grant 999999 of domain 0: invalid grant reference");
    CHECK(pieces[11].outcome().error().message() == "copy from grant 8 of domain 55: unrecognised domain id");
    for (std::size_t i = 0; i < 20; ++i) {
        CAPTURE(i);
        const bool good = i != 7 && i != 11;
        CHECK(pieces[i].outcome().has_value() == good);
        CHECK(world.local.bytes()[i * 100] == (good ? pattern(i * 100) : std::byte{}));
    }
}

TEST_CASE("copies: a read-only page is not written, and what has ended is not read") {
    copy_world world{xen::access::read_only};
    CHECK(xen::copy_from_grant(*world.their_table, world.at(0), world.local.bytes().first(10)));
    CHECK_FALSE(xen::copy_to_grant(*world.their_table, world.local.bytes().first(10), world.at(0)));
    CHECK(world.shared.data()[0] == pattern(0));
    const auto was = world.at(0);
    REQUIRE(world.shared.end());
    CHECK_FALSE(xen::copy_from_grant(*world.their_table, was, world.local.bytes().first(10)));
}

TEST_CASE("copies: what Xen defers is tried again while other fibers run, and not for ever") {
    copy_world world;
    int others = 0;
    bool stop = false;
    auto busy = fiber::spawn([&] {
        while (!stop) {
            ++others;
            fiber::yield();
        }
    });
    world.theirs.grants.copies_to_defer = 5;
    CHECK(xen::copy_from_grant(*world.their_table, world.at(3), world.local.bytes().first(10)));
    CHECK(world.local.data()[0] == pattern(3));
    CHECK(others >= 5);

    world.theirs.grants.copies_to_defer = 1'000'000;
    const auto refused = xen::copy_from_grant(*world.their_table, world.at(0), world.local.bytes().first(10));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code() == std::errc::resource_unavailable_try_again);
    stop = true;
    busy.join();
}

TEST_CASE("copies: a call that Xen refuses as a whole copies nothing") {
    copy_world world;
    world.host.refuse(world.theirs, __HYPERVISOR_grant_table_op, GNTTABOP_copy, -XEN_EFAULT);
    const auto refused = xen::copy_from_grant(*world.their_table, world.at(0), world.local.bytes().first(10));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code() == std::errc::bad_address);
    CHECK(world.local.data()[0] == std::byte{});
}

TEST_CASE("copies: version 2 grants a part of a page, and nothing around it") {
    grant_world world;
    REQUIRE(world.our_table->use_version_2());
    auto secret = xen::allocate_pages(world.ours, 1);
    auto local = xen::allocate_pages(world.theirs, 1);
    REQUIRE(secret);
    REQUIRE(local);
    std::memset(secret->data(), 's', page_size);
    std::memcpy(secret->data() + 1000, "public", 6);
    auto part =
        xen::grant_part(*world.our_table, world.theirs.id(), secret->bytes().subspan(1000, 6), xen::access::read_only);
    REQUIRE(part);
    const auto copy = [&](std::size_t offset, std::size_t size) {
        return xen::copy_from_grant(*world.their_table, {world.ours.id(), part->ref(), offset},
                                    local->bytes().first(size));
    };
    CHECK(copy(1000, 6));
    CHECK(std::memcmp(local->data(), "public", 6) == 0);
    CHECK_FALSE(copy(999, 6));
    CHECK_FALSE(copy(1001, 6));
    CHECK_FALSE(copy(0, 1));
    CHECK_FALSE(world.map(part->ref(), xen::access::read_only));
}

TEST_CASE("copies: version 2 passes a grant on, as long as it lasts") {
    grant_world world;
    auto& third = world.host.create();
    table last{third};
    REQUIRE(world.their_table->use_version_2());
    auto page = xen::share_pages(*world.our_table, world.theirs.id(), 1, xen::access::read_only);
    REQUIRE(page);
    page->data()[9] = std::byte{99};
    auto onward =
        xen::grant_onward(*world.their_table, third.id(), world.ours.id(), page->refs()[0], xen::access::read_only);
    REQUIRE(onward);
    auto local = xen::allocate_pages(third, 1);
    REQUIRE(local);
    const auto copy = [&] {
        return xen::copy_from_grant(last, {world.theirs.id(), onward->ref(), 9}, local->bytes().first(1));
    };
    CHECK(copy());
    CHECK(local->data()[0] == std::byte{99});
    REQUIRE(page->end());
    CHECK_FALSE(copy());
    CHECK(onward->end());
}

}  // namespace
