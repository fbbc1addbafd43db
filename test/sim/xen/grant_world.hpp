// SPDX-License-Identifier: BSD-3-Clause
// Two domains with their grant tables, and what must be true when a test of them ends.
#pragma once

#include "hypervisor.hpp"

#include <halvm/xen/grant_access.hpp>
#include <halvm/xen/grant_mapping.hpp>

#include <doctest/doctest.h>

#include <optional>
#include <vector>

namespace halvm::sim {

using table = xen::basic_grant_table<domain>;
using pages = xen::basic_pages<domain>;
using grant = xen::basic_grant<domain>;
using grant_range = xen::basic_grant_range<domain>;
using shared_pages = xen::basic_shared_pages<domain>;
using mapping = xen::basic_mapping<domain>;
using xen::access;
using xen::domid;
using xen::grant_ref;

struct grant_world {
    explicit grant_world(std::uint64_t seed = 1) : host{seed}, ours{host.create()}, theirs{host.create()} {}
    ~grant_world() {
        for (auto* one : {&our_table, &their_table}) {
            CHECK((*one)->collect() == 0);
            CHECK((*one)->statistics().in_use == 0);
            CHECK((*one)->statistics().parked_pages == 0);
            CHECK((*one)->statistics().mapped == 0);
            one->reset();
        }
        for (const domain* one : {&ours, &theirs}) {
            CHECK(one->pages_in_use() == 0);
            CHECK(one->windows_in_use() == 0);
        }
    }
    grant_world(const grant_world&) = delete;
    grant_world& operator=(const grant_world&) = delete;

    /// The peer's mapping of what it was granted.
    result<mapping> map(std::span<const grant_ref> refs, access wanted = access::read_write) {
        return xen::map_grants(*their_table, ours.id(), refs, wanted);
    }
    result<mapping> map(grant_ref ref, access wanted = access::read_write) { return map(std::span{&ref, 1}, wanted); }

    hypervisor host;
    domain& ours;
    domain& theirs;
    std::optional<table> our_table{std::in_place, ours};
    std::optional<table> their_table{std::in_place, theirs};
};

}  // namespace halvm::sim
