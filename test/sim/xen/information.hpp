// SPDX-License-Identifier: BSD-3-Clause
// What the hypervisor tells of itself and of VCPUs, and batches of calls. [xen/version.h] [xen/vcpu.h]
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

struct multicall_entry;

namespace halvm::sim {

class domain;
class hypervisor;

/// Tests change it before they ask.
struct description {
    std::uint32_t version = 4u << 16 | 17;
    std::string extra_version = ".7-sim";
    std::string changeset = "none";
    std::string capabilities = "xen-3.0-x86_64";
    std::string command_line = "console=com1";
    std::array<std::uint32_t, 1> features{};
    std::vector<unsigned char> build_id{0xde, 0xad, 0xbe, 0xef};
};

/// HYPERVISOR_xen_version.
long xen_version(hypervisor& host, domain& who, unsigned long operation, void* argument);

/// HYPERVISOR_vcpu_op: a domain has VCPU 0 only. It never runs, for time stands still while it does.
long vcpu_op(hypervisor& host, domain& who, unsigned long operation, unsigned long vcpu, void* argument);

/// HYPERVISOR_multicall.
long multicall(hypervisor& host, domain& who, multicall_entry* entries, unsigned long count);

}  // namespace halvm::sim
