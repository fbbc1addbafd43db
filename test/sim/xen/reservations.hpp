// SPDX-License-Identifier: BSD-3-Clause
// How many frames a domain has, as the hypervisor counts them. [xen/memory.h]
#pragma once

namespace halvm::sim {

class domain;
class hypervisor;

/// HYPERVISOR_memory_op.
long memory_op(hypervisor& host, domain& who, unsigned long operation, void* argument);

}  // namespace halvm::sim
