// SPDX-License-Identifier: BSD-3-Clause
// Which link address a neighbour has, for either family of IP: asked for when the first packet goes there, used while
// it is fresh, asked for again when it is not. [rfc826] [rfc1122 2.3.2] [rfc4861 7.3]
#pragma once

#include <halvm/net/alarm.hpp>
#include <halvm/net/fixed_table.hpp>
#include <halvm/net/held_packets.hpp>
#include <halvm/net/ip.hpp>
#include <halvm/net/limits.hpp>
#include <halvm/net/statistics.hpp>

#include <vector>

namespace halvm::net {

enum class neighbour_state : std::uint8_t {
    incomplete,  ///< asked for; packets wait
    fresh,
    stale,   ///< used as it is; the next packet asks again
    asking,  ///< used as it is, while it is asked for itself
    absent,  ///< gave no answer; packets are refused for a while
};

struct neighbour {
    ip_address address;
    interface* via;
    mac_address mac;
    neighbour_state state;
};

/// Asks for a neighbour; ARP, for IPv4.
class neighbour_solicitor {
public:
    /// Of everybody on the link when `known` is nothing.
    virtual void solicit(interface& via, const ip_address& target, const std::optional<mac_address>& known) = 0;

protected:
    ~neighbour_solicitor() = default;
};

class neighbour_cache {
public:
    [[gnu::cold]] neighbour_cache(stack& own, const stack_limits& limits);
    [[gnu::cold]] ~neighbour_cache();

    void attach(ip_family family, neighbour_solicitor& by) noexcept {
        solicitors_[static_cast<std::size_t>(family)] = &by;
    }

    /// Sends an IP packet there, now or when the address is known. What is too many is dropped, the oldest first.
    /// Errors: std::errc::host_unreachable when it did not answer just now.
    result<void> send(interface& via, const ip_address& next_hop, wire::ethertype type, packet payload);

    /// What somebody said of himself. `may_add` is for a neighbour who wants something of us; an answer that nobody
    /// asked for changes only what is there already. True when it was asked for, or there.
    [[gnu::cold]] bool learn(interface& via, const ip_address& address, const mac_address& mac, bool may_add,
                             bool is_answer);
    [[gnu::cold]] void forget(const interface& via);
    [[nodiscard]] std::vector<neighbour> all();

private:
    struct where {
        const interface* via = nullptr;
        ip_address address;
        friend bool operator==(const where&, const where&) noexcept = default;
    };
    struct where_hash {
        std::size_t operator()(const where& one) const noexcept { return std::hash<ip_address>{}(one.address); }
    };
    struct entry : alarm {
        entry() noexcept : alarm{[](alarm& one) noexcept { static_cast<entry&>(one).due(); }} {}
        void due() noexcept { cache->ring(*this); }

        where key;
        neighbour_cache* cache = nullptr;
        interface* via = nullptr;
        mac_address mac;
        neighbour_state state = neighbour_state::incomplete;
        unsigned probes = 0;
        wire::ethertype type{};
        held_packet* waiting = nullptr;  // the oldest first
    };

    [[gnu::cold]] entry* make(interface& via, const ip_address& address);
    [[gnu::cold]] void keep(entry& one, packet payload) noexcept;
    [[gnu::cold]] void ask(entry& one);
    [[gnu::cold]] void ring(entry& one) noexcept;
    [[gnu::cold]] void confirm(entry& one, const mac_address& mac);
    [[gnu::cold]] void give_up(entry& one);
    [[gnu::cold]] void drop(entry& one) noexcept;

    stack& stack_;
    const stack_limits& limits_;
    std::array<neighbour_solicitor*, 2> solicitors_{};
    fixed_table<entry, where_hash> table_;
    held_packets waiting_;
};

}  // namespace halvm::net
