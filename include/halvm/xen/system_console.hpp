// SPDX-License-Identifier: BSD-3-Clause
// The domain's first console, which it has from birth and which stdio uses too: the ring of start_info, or the
// hypervisor's own console in dom0.
#pragma once

#include <halvm/bytes.hpp>
#include <halvm/device/console.hpp>
#include <halvm/fiber/scheduler.hpp>
#include <halvm/result.hpp>

#include <cstddef>
#include <optional>

namespace halvm::xen {

/// A handle on the one system console; a Console. Owns nothing: closing it leaves stdio working.
class system_console {
public:
    system_console(system_console&&) noexcept = default;
    system_console& operator=(system_console&&) noexcept = default;

    /// Errors: std::errc::protocol_error when the other end's index is impossible; timed_out and operation_canceled by
    /// the limit.
    result<void> write(const_bytes out, const fiber::wait_limit& limit = {}) noexcept;
    result<std::size_t> read(bytes in, const fiber::wait_limit& limit = {}) noexcept;
    result<std::size_t> try_read(bytes in) noexcept;

    /// What the words COLUMNS=N and LINES=N of the command line say, nothing unless both do: the protocol has no place
    /// for it, and does not tell of a change. [xen/io/console.h]
    [[nodiscard]] std::optional<halvm::window_size> window_size() const noexcept;

private:
    friend result<system_console> open_console() noexcept;
    system_console() noexcept = default;
};

/// Errors: none today; every domain has its console.
result<system_console> open_console() noexcept;

}  // namespace halvm::xen
