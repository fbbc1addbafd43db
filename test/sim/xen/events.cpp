// SPDX-License-Identifier: BSD-3-Clause
#include "events.hpp"

#include "hypervisor.hpp"

namespace halvm::sim {

long event_channel_op(hypervisor&, domain&, unsigned long, void*) { return -XEN_ENOSYS; }

void close_events(hypervisor&, domain&) {}

}  // namespace halvm::sim
