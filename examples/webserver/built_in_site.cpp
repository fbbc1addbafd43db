// SPDX-License-Identifier: BSD-3-Clause
// The archive that CMakeLists.txt makes an object of.
#include "pages.hpp"

extern "C" const std::byte _binary_site_tar_start[], _binary_site_tar_end[];

halvm::const_bytes built_in_site() { return {_binary_site_tar_start, _binary_site_tar_end}; }
