// SPDX-License-Identifier: BSD-3-Clause
// How a program's words configure its network, so that all programs read them alike:
//
//   ip=10.0.1.5/24 gw=10.0.1.1    the address, and who leads to other networks
//   ip=dhcp, or no ip=            from a DHCP server
//   ip=dhcp,10.0.1.5/24           from one, and this address when none answers in time
//   dns=10.0.1.1,10.0.1.2         who is asked for names, unless a DHCP server says who
#pragma once

#include <halvm/net/dhcp.hpp>
#include <halvm/net/stack.hpp>

#include <chrono>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace halvm::net {

/// What the words say.
struct network_words {
    bool dhcp = true;
    std::optional<interface_address> address{};  ///< always there without DHCP
    std::optional<ip_address> gateway{};
    std::vector<ip_address> name_servers{};

    /// Words that are none of these are passed over: they are the program's. The last of two ends what the first said.
    /// Errors: address_errc, with the word; std::errc::invalid_argument for gw= or dns= without an address in ip=.
    static result<network_words> read(std::span<const char* const> words);
};

/// What the first NIC has then.
struct configured_network {
    interface_address address;
    std::optional<dhcp_lease> lease{};  ///< when the address is a DHCP server's
};

/// How long a DHCP server has to answer when there is another address.
inline constexpr std::chrono::seconds dhcp_patience{10};

/// Configures the stack's first NIC. With DHCP it blocks until there is a lease, and the stack keeps it from then on.
/// Errors: those of stack::configure() and stack::dhcp().
result<configured_network> configure(stack& own, const network_words& words, const fiber::wait_limit& limit = {});

/// The same by the words of a command line: `configure(stack, halvm::arguments())`.
/// Errors: those of network_words::read() too.
result<configured_network> configure(stack& own, std::span<const char* const> words,
                                     const fiber::wait_limit& limit = {});

}  // namespace halvm::net
