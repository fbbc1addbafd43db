// SPDX-License-Identifier: BSD-3-Clause
#include "fiber_world.hpp"

#include <doctest/doctest.h>
#include <halvm/block.hpp>

#include <chrono>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
namespace machine = halvm::machine;

TEST_CASE("disks: are those of the machine") {
    machine::disk_names = {"xvda", "xvdb"};
    CHECK(halvm::disks().value() == machine::disk_names);
    machine::disk_names.clear();
    CHECK(halvm::disks().value().empty());
}

TEST_CASE("open_block: opens by name or number, and names the disks that there are") {
    halvm::test::fiber_world world;
    machine::disk_names = {"xvda", "xvdb", "data"};
    for (const char* name : {"xvda", "51712", "xvdb", "data"})
        CHECK(halvm::open_block(name).has_value());
    for (const char* name : {"xvdc", "51713", "", "dat"}) {
        const auto none = halvm::open_block(name);
        REQUIRE_FALSE(none);
        CHECK(none.error().message() == "open a disk: there are only xvda xvdb data: No such device");
    }
    machine::disk_names.clear();
    CHECK(halvm::open_block("xvda").error().message() == "open a disk: this machine has none: No such device");
}

TEST_CASE("open_block: waits for half a minute, or as long as it is told") {
    halvm::test::fiber_world world;
    machine::disk_names = {"xvda"};
    const auto now = world.time;
    REQUIRE(halvm::open_block("xvda").has_value());
    CHECK(machine::disk_deadline == now + 30'000'000'000);
    REQUIRE(halvm::open_block("xvda", halvm::fiber::within(2s)).has_value());
    CHECK(machine::disk_deadline == now + 2'000'000'000);
}

}  // namespace
