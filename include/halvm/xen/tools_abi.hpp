// SPDX-License-Identifier: BSD-3-Clause
// The public headers of Xen's toolstack interfaces, which are bound to the version of Xen that they came with and are
// of use to a privileged domain only. Included by domctl.hpp and sysctl.hpp, so that ordinary code does not see them.
// They use anonymous structs: a C++ with GNU extensions is needed.
#pragma once

#include <halvm/xen/abi.hpp>

#define __XEN_TOOLS__
#include <xen/domctl.h>
#include <xen/sysctl.h>
#undef __XEN_TOOLS__
