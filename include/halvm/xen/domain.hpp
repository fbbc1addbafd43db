// SPDX-License-Identifier: BSD-3-Clause
// Who this domain is.
#pragma once

#include <halvm/xen/platform.hpp>

#include <array>
#include <string>

namespace halvm::xen {

/// The UUID by which a toolstack knows a domain, across reboots and migrations; all zero when it gave none.
struct domain_handle {
    std::array<std::uint8_t, 16> bytes{};

    /// As "9f2c4a10-0d1e-4c1b-8a5d-0123456789ab".
    [[nodiscard]] std::string text() const {
        static constexpr char digits[] = "0123456789abcdef";
        std::string out;
        for (std::size_t i = 0; i < bytes.size(); ++i) {
            if (i == 4 || i == 6 || i == 8 || i == 10)
                out += '-';
            out += digits[bytes[i] >> 4];
            out += digits[bytes[i] & 15];
        }
        return out;
    }
    friend bool operator==(const domain_handle&, const domain_handle&) = default;
};
static_assert(sizeof(domain_handle) == sizeof(xen_domain_handle_t));

/// The caller's own number. Xen tells a PV domain nowhere; but a port that is left open for the domain itself shows
/// whom it is open for, by number. So one is made, looked at and closed. It works before there is a XenStore, and in
/// dom0. Errors: ENOSPC, all ports are taken.
template <Platform Domain>
result<domid> own_domid(Domain& domain) noexcept {
    evtchn_alloc_unbound_t open{.dom = DOMID_SELF, .remote_dom = DOMID_SELF, .port = 0};
    if (const auto done = checked_call(domain, "open a port to ask for the own domain's number",
                                       __HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, &open);
        !done)
        return failure(done.error());
    evtchn_status_t status{};
    status.dom = DOMID_SELF;
    status.port = open.port;
    const auto asked = checked_call(domain, "ask for the own domain's number", __HYPERVISOR_event_channel_op,
                                    EVTCHNOP_status, &status);
    evtchn_close_t close{.port = open.port};
    call(domain, __HYPERVISOR_event_channel_op, EVTCHNOP_close, &close);
    if (!asked)
        return failure(asked.error());
    return domid{status.u.unbound.dom};
}

/// The caller's own handle.
template <Platform Domain>
result<domain_handle> own_handle(Domain& domain) noexcept {
    domain_handle handle;
    if (const auto done =
            checked_call(domain, "xen_version guest_handle", __HYPERVISOR_xen_version, XENVER_guest_handle, &handle);
        !done)
        return failure(done.error());
    return handle;
}

}  // namespace halvm::xen
