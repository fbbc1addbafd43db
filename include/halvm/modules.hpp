// SPDX-License-Identifier: BSD-3-Clause
// Files that the program was given at its start, and has in memory: a domain's `ramdisk=` (halvm/xen/modules.hpp), and
// of a process the file that HALVM_RAMDISK names in its environment.
#pragma once

#include <halvm/bytes.hpp>
#include <halvm/result.hpp>

#include <span>

namespace halvm {

/// The modules, in their order; none is no error. They live as long as the program and can be read only.
/// Errors: in a process those of opening and mapping the file, with its name.
result<std::span<const const_bytes>> modules();

}  // namespace halvm
