// SPDX-License-Identifier: BSD-3-Clause
// Grants for programs: this domain's own table, and all that can be done with it.
#pragma once

#include <halvm/xen/grant_access.hpp>
#include <halvm/xen/grant_copy.hpp>
#include <halvm/xen/grant_mapping.hpp>
#include <halvm/xen/grant_transfer.hpp>
#include <halvm/xen/guest.hpp>

namespace halvm::xen {

using page_owner = basic_pages<guest>;
using grant_table = basic_grant_table<guest>;
using grant = basic_grant<guest>;
using granted_range = basic_grant_range<guest>;
using shared_pages = basic_shared_pages<guest>;
using mapping = basic_mapping<guest>;
using transfer_slot = basic_transfer_slot<guest>;

/// This domain's grant table; there is one.
grant_table& grants() noexcept;

}  // namespace halvm::xen
