// SPDX-License-Identifier: BSD-3-Clause
// The errors of what only a privileged domain may do, and of interfaces that are bound to one version of Xen.
#pragma once

#include <halvm/xen/errors.hpp>
#include <halvm/xen/platform.hpp>

#include <cstddef>
#include <cstdint>

namespace halvm::xen {

/// Refusals that Xen's errno alone does not explain. A domain without the privilege: equals
/// std::errc::operation_not_permitted. An interface of another version: equals std::errc::not_supported.
const std::error_category& privilege_category() noexcept;

/// "domctl getdomaininfo: not permitted; this domain is not privileged".
error not_privileged(const char* attempted) noexcept;

/// "domctl getdomaininfo: this Xen speaks interface version 0x16, halvm was built for 0x15". `spoken` is 0 when it
/// could not be found out.
error other_interface(const char* attempted, std::uint32_t spoken, std::uint32_t built_for) noexcept;

/// What a hypercall that needs privilege returned, as an error: EPERM is not_privileged(). Pre: `status` is negative.
error privilege_error(long status, const char* attempted) noexcept;

/// The same for a hypercall that carries an interface version, `built_for`. Xen answers EACCES to another version than
/// its own and says no more, and EPERM for other reasons than a missing privilege too. So `ask(version)` is called,
/// which makes a harmless call with that version that any privileged domain may, and returns Xen's status: the first
/// one that is not EACCES is of Xen's own version. Pre: `status` is negative.
template <class Ask>
error versioned_error(long status, const char* attempted, std::uint32_t built_for, Ask ask) {
    if (status == -XEN_EPERM && ask(built_for) == -XEN_EPERM)
        return not_privileged(attempted);
    if (status != -XEN_EACCES)
        return hypercall_error(status, attempted);
    // One step for each incompatible release: Xen 4.17 has come to 0x15.
    constexpr std::uint32_t highest = 0x7f;
    for (std::uint32_t version = 1; version <= highest; ++version)
        if (ask(version) != -XEN_EACCES)
            // A security policy answers EACCES too.
            return version == built_for ? hypercall_error(status, attempted)
                                        : other_interface(attempted, version, built_for);
    return other_interface(attempted, 0, built_for);
}

/// Does `command` by a hypercall whose request carries the interface version `built_for`; the caller has filled in the
/// rest of it, and Xen answers there. `harmless` is the command that is asked when Xen refuses: its request has zeros.
template <Platform Domain, class Request>
result<void> versioned_call(Domain& domain, unsigned hypercall, const char* attempted, std::uint32_t command,
                            std::uint32_t harmless, std::uint32_t built_for, Request& request) {
    request.cmd = command;
    request.interface_version = built_for;
    const long status = call(domain, hypercall, &request);
    if (status >= 0)
        return {};
    return failure(versioned_error(status, attempted, built_for, [&](std::uint32_t version) {
        struct {
            Request request;
            std::byte room[1024];  // another Xen's answer may be longer
        } question{};
        question.request.cmd = harmless;
        question.request.interface_version = version;
        return call(domain, hypercall, &question);
    }));
}

}  // namespace halvm::xen
