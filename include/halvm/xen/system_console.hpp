// SPDX-License-Identifier: BSD-3-Clause
// The domain's first console, which it has from birth and which stdio uses too: the ring of start_info, or the
// hypervisor's own console in dom0.
#pragma once

#include <halvm/bytes.hpp>
#include <halvm/result.hpp>

#include <cstddef>

namespace halvm::xen {

/// A handle on the one system console; a Console. Owns nothing: closing it leaves stdio working.
class system_console {
public:
    system_console(system_console&&) noexcept = default;
    system_console& operator=(system_console&&) noexcept = default;

    result<void> write(const_bytes out) noexcept;
    result<std::size_t> read(bytes in) noexcept;
    result<std::size_t> try_read(bytes in) noexcept;

private:
    friend result<system_console> open_console() noexcept;
    system_console() noexcept = default;
};

/// Errors: none today; every domain has its console.
result<system_console> open_console() noexcept;

}  // namespace halvm::xen
