// SPDX-License-Identifier: BSD-3-Clause
// An address from a DHCP server, kept as long as it is given: asked for, tried, renewed, and given back. [rfc2131]
// [rfc2132] [rfc3442]
#pragma once

#include <halvm/net/endpoint.hpp>
#include <halvm/net/stack.hpp>
#include <halvm/net/udp.hpp>
#include <halvm/net/wire/dhcpv4.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace halvm::net {

enum class dhcp_state : std::uint8_t {
    stopped,
    rebooting,  ///< asks for the address that it had before
    selecting,
    requesting,
    trying,  ///< has it, and asks whether anybody else does
    bound,
    renewing,
    rebinding,
};

struct dhcp_options {
    std::string host_name{};
    std::vector<std::byte> client_identifier{};   ///< the server knows us by this; by our MAC address when empty
    std::optional<ipv4_address> known_address{};  ///< that we had before our last end [rfc2131 3.2]
    bool uses_mtu = true;
    /// Whether ARP is asked before the address is used, and how long it has to answer. [rfc2131 2.2]
    arp_probing probing{1, {}, std::chrono::milliseconds{500}, std::chrono::milliseconds{500}};
    std::chrono::seconds first_timeout{4};  ///< doubled each time [rfc2131 4.1]
    std::chrono::seconds longest_timeout{64};
    unsigned request_attempts = 4;
    std::chrono::seconds decline_wait{10};  ///< [rfc2131 3.1.5]
};

struct dhcp_lease {
    interface_address address;
    ipv4_address server;
    std::vector<route> routes;
    std::vector<ip_address> name_servers;
    std::string domain;
    std::optional<std::uint16_t> mtu;
    wire::dhcpv4_seconds time{};       ///< dhcpv4_forever is what it says
    wire::dhcpv4_seconds renewal{};    ///< T1
    wire::dhcpv4_seconds rebinding{};  ///< T2
};

/// One client for each interface that wants it. stack::dhcp() is the first NIC's.
class dhcp_client final : public stack_service {
public:
    explicit dhcp_client(stack& own);
    ~dhcp_client() override;

    /// Blocks until there is a lease; it is the interface's then: its address, routes, MTU, and the stack's name
    /// servers and domain. When the limit comes first, the client goes on trying, and another call waits for it again.
    /// Errors: std::errc::timed_out and operation_canceled by the limit; those of udp_layer::bind() for its port.
    result<dhcp_lease> start(interface& via, const dhcp_options& options = {}, const fiber::wait_limit& limit = {});
    /// Gives the lease back, and with it the address. Never waits for an answer: there is none.
    void release(interface& via);
    [[nodiscard]] dhcp_state state(const interface& via) const noexcept;
    /// Null when there is none.
    [[nodiscard]] const dhcp_lease* lease(const interface& via) const noexcept;

private:
    class exchange;
    [[nodiscard]] exchange* find(const interface& via) const noexcept;

    stack& stack_;
    std::vector<std::unique_ptr<exchange>> clients_;
};

}  // namespace halvm::net
