// SPDX-License-Identifier: BSD-3-Clause
// What Xen answers, as std::error_code: a hypercall's errno, and the status that each operation on grants has of its
// own.
#pragma once

#include <halvm/result.hpp>
#include <halvm/xen/abi.hpp>

#include <cstdint>
#include <system_error>

namespace halvm::xen {

/// Xen's errno numbers, positive. They are Linux's too, so that they compare equal to std::errc of the same name.
/// [xen/errno.h]
const std::error_category& hypercall_category() noexcept;

/// Statuses of grant operations (GNTST_*), negative, with the texts of Xen's header. GNTST_eagain equals
/// std::errc::resource_unavailable_try_again, GNTST_permission_denied std::errc::permission_denied,
/// GNTST_no_space std::errc::no_space_on_device. [xen/grant_table.h]
const std::error_category& grant_category() noexcept;

/// The error in what a hypercall returned; the numbers are for `attempted`, as in error. Pre: `status` is negative.
inline error hypercall_error(long status, const char* attempted, std::uint32_t first = 0,
                             std::uint32_t second = 0) noexcept {
    return {std::error_code{static_cast<int>(-status), hypercall_category()}, attempted, first, second};
}

/// The error in the status of a grant operation; the numbers are for `attempted`. Pre: `status` is negative.
inline error grant_error(int status, const char* attempted, std::uint32_t first = 0,
                         std::uint32_t second = 0) noexcept {
    return {std::error_code{status, grant_category()}, attempted, first, second};
}

}  // namespace halvm::xen
