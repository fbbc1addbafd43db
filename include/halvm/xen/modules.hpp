// SPDX-License-Identifier: BSD-3-Clause
// What the toolstack loaded beside the kernel: a file that the program has from its first moment, with no device and
// no file system. `ramdisk=` in an xl configuration, the second module where Xen itself starts a dom0.
#pragma once

#include <halvm/bytes.hpp>

#include <span>

namespace halvm::xen {

/// The modules, in order; none when there are none, or when the one is empty. A PV domain has one at most. They live
/// as long as the program and can be read only. xl unpacks one that is gzipped, and refuses an empty file.
std::span<const const_bytes> modules() noexcept;

}  // namespace halvm::xen
