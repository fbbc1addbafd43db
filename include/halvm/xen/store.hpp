// SPDX-License-Identifier: BSD-3-Clause
// The XenStore of the domain that the program is.
#pragma once

#include <halvm/xen/guest.hpp>
#include <halvm/xen/xenstore.hpp>

namespace halvm::xen {

using xenstore = basic_xenstore<guest>;

/// Connects when it is called first; from then on the domain also answers what the toolstack asks of it
/// (domain_control.hpp). Never ends.
xenstore& store() noexcept;

}  // namespace halvm::xen
