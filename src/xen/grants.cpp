// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/xen/grants.hpp>

#include <new>

namespace halvm::xen {

// Never destroyed: what destructors of static objects give back must find it.
grant_table& grants() noexcept {
    alignas(grant_table) static std::byte memory[sizeof(grant_table)];
    static guest domain;
    static grant_table* const table = new (memory) grant_table{domain};
    return *table;
}

}  // namespace halvm::xen
