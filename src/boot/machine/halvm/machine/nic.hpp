// SPDX-License-Identifier: BSD-3-Clause
// The part of <halvm/machine.hpp> that <halvm/nic.hpp> opens on: the network interfaces of a Xen domain. There is no
// front end for them yet, so there are none.
#pragma once

#include <halvm/device/nic.hpp>
#include <halvm/fiber/scheduler.hpp>

#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace halvm::machine {

class nic {
public:
    nic(nic&&) noexcept = default;
    nic& operator=(nic&&) noexcept = default;

    [[nodiscard]] nic_info info() const noexcept { return {.link_up = false}; }
    [[nodiscard]] nic_statistics statistics() const noexcept { return {}; }
    result<packet> allocate(std::size_t) { return none(); }
    result<std::size_t> receive(std::span<packet>, std::stop_token) { return none(); }
    std::size_t try_transmit(std::span<packet>) { return 0; }
    result<void> transmit(std::span<packet>, std::stop_token) { return none(); }

    static failure none() noexcept {
        return failure{error{std::make_error_code(std::errc::no_such_device), "open a NIC of a domain"}};
    }
};

inline result<std::vector<std::string>> nics(const fiber::wait_limit&) { return std::vector<std::string>{}; }
inline result<nic> open_nic(std::string_view, const fiber::wait_limit&) { return nic::none(); }

}  // namespace halvm::machine
