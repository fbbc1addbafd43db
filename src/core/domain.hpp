// SPDX-License-Identifier: BSD-3-Clause
// What the boot code learnt about the domain, whatever protocol it was started by.
#pragma once

#include "core/hypercall.hpp"

#include <halvm/bytes.hpp>

#include <cstddef>
#include <string_view>

extern "C" {
extern shared_info_t halvm_shared_info;
extern std::byte halvm_console_ring[];
extern std::byte halvm_xenstore_ring[];
}

namespace halvm::core {

struct domain_info {
    bool is_dom0;       ///< the console is the hypervisor's, and there is no XenStore
    bool has_console;   ///< halvm_console_ring is mapped
    bool has_xenstore;  ///< halvm_xenstore_ring is mapped
    xen::port console_port;
    xen::port xenstore_port;
    char command_line[MAX_GUEST_CMDLINE + 1];  ///< ends in a zero; without the words below
    char token[64];             ///< `halvm.token=WORD`: marks the status line in dom0, and nothing else; may be empty
    bool banner;                ///< `halvm.banner`: boot says what it found
    const_bytes module;         ///< what the toolstack loaded beside the kernel; empty when nothing
    std::string_view identity;  ///< bytes that differ between domains and starts, for want of better entropy

    /// Takes over the line that the toolstack gave, up to its zero or its end. Words that begin with `halvm.` are for
    /// the core: the program does not see them.
    void set_command_line(std::string_view text) noexcept;
};

extern domain_info domain;

}  // namespace halvm::core
