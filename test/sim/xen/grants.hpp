// SPDX-License-Identifier: BSD-3-Clause
// Grants as the hypervisor keeps them. [xen/grant_table.h]
#pragma once

#include <halvm/xen/numbers.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

namespace halvm::sim {

class domain;
class hypervisor;

/// An entry of the table that some domain uses: what it said when that began.
struct active_grant {
    domid_t peer;
    xen::gfn frame;
    unsigned readers = 0;
    unsigned writers = 0;
};

/// What a domain has mapped of another's.
struct grant_mapping {
    xen::domid owner;
    grant_ref_t ref;
    xen::gfn frame;
    void* page;
    bool writable;
};

/// What Xen knows of one domain's grant table, and of what it has mapped of others'.
struct grant_state {
    std::uint32_t pages_limit = 4;  ///< how far the table may grow; the test sets it before the first grant
    bool only_version_1 = false;    ///< as with `gnttab=max-ver:1`
    unsigned copies_to_defer = 0;   ///< as many copies are answered by GNTST_eagain
    unsigned maps_to_defer = 0;     ///< as many requests to map a page
    unsigned version = 1;
    std::vector<xen::gfn> frames;         ///< of the table
    std::vector<xen::gfn> status_frames;  ///< version 2's
    std::map<grant_ref_t, active_grant> active;
    std::map<grant_handle_t, grant_mapping> mapped;
    grant_handle_t next_handle = 0;
};

/// HYPERVISOR_grant_table_op.
long grant_table_op(hypervisor& host, domain& who, unsigned long operation, void* argument, unsigned long count);

/// The domain is going: what it had mapped of others' is unmapped.
void close_grants(hypervisor& host, domain& who);

/// The hypervisor is going: the frames of the domain's table are given back.
void free_table(hypervisor& host, domain& who);

}  // namespace halvm::sim
