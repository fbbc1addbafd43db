// SPDX-License-Identifier: BSD-3-Clause
// Event channels as the hypervisor keeps them. [xen/event_channel.h]
#pragma once

namespace halvm::sim {

class domain;
class hypervisor;

/// What Xen knows of one domain's ports.
struct event_state {};

/// HYPERVISOR_event_channel_op.
long event_channel_op(hypervisor& host, domain& who, unsigned long operation, void* argument);

/// The domain is going: its ports close, and the other ends find them unbound.
void close_events(hypervisor& host, domain& who);

}  // namespace halvm::sim
