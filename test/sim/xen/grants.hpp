// SPDX-License-Identifier: BSD-3-Clause
// Grants as the hypervisor keeps them. [xen/grant_table.h]
#pragma once

namespace halvm::sim {

class domain;
class hypervisor;

/// What Xen knows of one domain's grant table, and of what it has mapped of others'.
struct grant_state {};

/// HYPERVISOR_grant_table_op.
long grant_table_op(hypervisor& host, domain& who, unsigned long operation, void* argument, unsigned long count);

/// The domain is going: what it had mapped of others' is unmapped.
void close_grants(hypervisor& host, domain& who);

}  // namespace halvm::sim
