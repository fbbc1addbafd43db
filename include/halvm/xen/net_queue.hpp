// SPDX-License-Identifier: BSD-3-Clause
// One queue of a NIC: a ring in each direction, with a port of its own where the back end can have two.
// [xen/io/netif.h]
#pragma once

#include <halvm/xen/event_channel.hpp>
#include <halvm/xen/frontend.hpp>
#include <halvm/xen/net_rx.hpp>
#include <halvm/xen/net_tx.hpp>

#include <memory>
#include <string>
#include <utility>

namespace halvm::xen {

template <Platform Domain>
class net_queue {
public:
    /// Errors: those of pages, grants and ports.
    static result<std::unique_ptr<net_queue>> open(const basic_mechanisms<Domain>& mechanisms, domid peer, bool split,
                                                   packet_pool& received, const net_rx_rules& rules) {
        auto rx = share_pages(mechanisms.grants, peer, 1, access::read_write);
        if (!rx)
            return failure(rx.error());
        auto tx = share_pages(mechanisms.grants, peer, 1, access::read_write);
        if (!tx)
            return failure(tx.error());
        auto port = mechanisms.channels.alloc_unbound(peer);
        if (!port)
            return failure(port.error());
        auto made = std::make_unique<net_queue>(mechanisms.grants, std::move(*rx), std::move(*tx), std::move(*port),
                                                received, rules);
        if (split) {
            auto second = mechanisms.channels.alloc_unbound(peer);
            if (!second)
                return failure(second.error());
            made->tx_port_ = std::move(*second);
        }
        made->rx.fill();
        static_cast<void>(made->rx.publish());
        return made;
    }
    net_queue(basic_grant_table<Domain>& table, basic_shared_pages<Domain> rx_ring, basic_shared_pages<Domain> tx_ring,
              basic_port<Domain> port, packet_pool& received, const net_rx_rules& rules)
        : rx{table, std::move(rx_ring), received, rules}, tx{table, std::move(tx_ring)}, rx_port_{std::move(port)} {}

    /// The nodes by which the back end finds it, below `place`.
    result<void> describe(transaction& nodes, const std::string& place) const {
        if (auto done = nodes.write(place + "/tx-ring-ref", raw(tx.ref())); !done)
            return done;
        if (auto done = nodes.write(place + "/rx-ring-ref", raw(rx.ref())); !done)
            return done;
        if (!split()) {
            // Of another who had the interface before: the back end looks for two first.
            for (const char* stale : {"/event-channel-tx", "/event-channel-rx"})
                if (auto done = nodes.remove(place + stale); !done)
                    return done;
            return nodes.write(place + "/event-channel", raw(rx_port_.number()));
        }
        if (auto done = nodes.write(place + "/event-channel-tx", raw(tx_port_.number())); !done)
            return done;
        return nodes.write(place + "/event-channel-rx", raw(rx_port_.number()));
    }

    [[nodiscard]] bool split() const noexcept { return tx_port_.is_open(); }
    /// Where answers are told of, and frames.
    [[nodiscard]] basic_port<Domain>& tx_port() noexcept { return split() ? tx_port_ : rx_port_; }
    [[nodiscard]] basic_port<Domain>& rx_port() noexcept { return rx_port_; }

    void close() noexcept {
        rx_port_.close();
        tx_port_.close();
    }

    net_rx<Domain> rx;
    net_tx<Domain> tx;
    std::uint64_t progress = 0;  ///< of either ring: slots that somebody has taken

private:
    basic_port<Domain> rx_port_;
    basic_port<Domain> tx_port_;
};

}  // namespace halvm::xen
