// SPDX-License-Identifier: BSD-3-Clause
// A simulated machine with network interfaces: the toolstack's part, a back end in dom0 for each, and a wire that the
// test holds. A back end obeys unless it is told to stall, lie, fail, die or go away.
#pragma once

#include "store_world.hpp"

#include <halvm/xen/grant_mapping.hpp>
#include <halvm/xen/netfront.hpp>
#include <halvm/xen/ring.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace halvm::sim {

using sim_table = xen::basic_grant_table<domain>;
using sim_netfront = xen::basic_netfront<domain>;
using xen::device_state;

/// A frame outside of any domain.
struct wire_frame {
    std::vector<std::byte> data{};
    bool blank = false;
    bool validated = false;
    std::uint8_t gso_type = XEN_NETIF_GSO_TYPE_NONE;
    std::uint16_t gso_size = 0;
    unsigned queue = 0;
    std::size_t first_part = 0;  ///< bytes of its first slot, as it was sent; to be received, at most as many
};

struct netback_behaviour {
    std::map<std::string, std::string> offers{{"feature-rx-copy", "1"},
                                              {"feature-sg", "1"},
                                              {"feature-gso-tcpv4", "1"},
                                              {"feature-gso-tcpv6", "1"},
                                              {"feature-ipv6-csum-offload", "1"},
                                              {"feature-multicast-control", "1"},
                                              {"feature-split-event-channels", "1"}};
    bool connects = true;
    bool answers = true;      ///< of what is sent
    bool keeps_sent = false;  ///< has what was sent mapped until it ends
    bool keeps_received = false;
    std::size_t offset = 0;                                         ///< where data begins in a page that it writes
    std::function<std::int16_t(const netif_tx_request_t&)> status;  ///< of what was sent
    std::function<void(netif_tx_response_t&)> forge_answer;
    std::function<void(netif_rx_response_t&)> forge_frame;  ///< also of slots with extra information
};

/// A domain that has interfaces.
struct net_guest {
    explicit net_guest(event_world& of) : world{of}, store{of.domain, of.channels} {}
    xen::basic_mechanisms<domain> mechanisms() { return {world.domain, world.channels, grants, store}; }

    event_world& world;
    sim_table grants{world.domain};
    sim_xenstore store;
};

class sim_netback;

struct net_world : store_world {
    explicit net_world(std::uint64_t seed = 1) : store_world{seed} {}
    ~net_world() { back_store.reset(); }

    sim_table back_grants{dom0.domain};
    std::optional<sim_xenstore> back_store{std::in_place, dom0.domain, dom0.channels};
    net_guest left{guest};
    net_guest right{other};
};

/// One interface, as the toolstack and dom0 see it.
class sim_netback {
public:
    sim_netback(net_world& of, net_guest& whose, std::string vif = "0", std::string address = "00:16:3e:00:00:01")
        : world{of}, guest{whose}, number{std::move(vif)}, mac{std::move(address)} {}
    ~sim_netback() { detach(); }

    result<sim_netfront> open(const xen::netfront_options& options = {}) {
        return sim_netfront::open(guest.mechanisms(), number, options);
    }

    /// As `xl network-attach`.
    void attach() {
        using access = xen::permission::access;
        const xen::domid us = guest.world.domain.id();
        const auto make = [&](const std::string& path, std::string_view value, xen::domid owner, xen::domid reader) {
            world.daemon.write(path, value);
            world.daemon.set_permissions(path, {{owner, access::none}, {reader, access::read}});
        };
        make(back, "", xen::dom0, us);
        make(back + "/frontend", front, xen::dom0, us);
        make(back + "/state", "1", xen::dom0, us);
        make(front, "", us, xen::dom0);
        make(front + "/backend", back, us, xen::dom0);
        make(front + "/backend-id", "0", us, xen::dom0);
        make(front + "/mac", mac, us, xen::dom0);
        make(front + "/state", "1", us, xen::dom0);
        start();
    }
    void start() {
        serving = fiber::spawn([this](std::stop_token stop) { serve(stop); }, {.name = "back end"});
    }
    void ask_to_close() { world.daemon.write(back + "/state", "5"); }
    /// The nodes go, whatever the front end does.
    void detach() {
        stop();
        world.daemon.remove(front);
        world.daemon.remove(back);
    }
    void stop() {
        if (serving.joinable()) {
            serving.request_stop();
            serving.join();
        }
    }

    /// After it did not.
    void answer_again() {
        behave.answers = true;
        for (std::size_t i = 0; connected && i != connected->ends.size(); ++i)
            connected->take(i);
    }

    /// Tells the guest of news, whether there are any or not.
    void notify() {
        for (std::size_t i = 0; connected && i != connected->ends.size(); ++i)
            for (sim_port* port : {&connected->ends[i]->tx_port, &connected->ends[i]->rx_port})
                if (port->is_open())
                    static_cast<void>(port->send());
    }

    /// Puts a frame on the way to the guest.
    void give(wire_frame frame) {
        waiting.push_back(std::move(frame));
        if (connected)
            connected->pump();
    }

    net_world& world;
    net_guest& guest;
    std::string number;
    std::string mac;
    std::string front = "/local/domain/" + std::to_string(raw(guest.world.domain.id())) + "/device/vif/" + number;
    std::string back = "/local/domain/0/backend/vif/" + std::to_string(raw(guest.world.domain.id())) + "/" + number;
    netback_behaviour behave;
    /// What the guest sends, when it is set; else it is kept in `sent`.
    std::function<void(wire_frame)> deliver;
    std::deque<wire_frame> sent;
    std::deque<wire_frame> waiting;
    std::vector<std::pair<bool, std::vector<std::uint8_t>>> groups;  ///< whether it was joined, and which
    fiber::handle<void> serving;

private:
    struct queue_end {
        xen::basic_mapping<domain> tx_page;
        xen::basic_mapping<domain> rx_page;
        sim_port tx_port;
        sim_port rx_port;  ///< closed when both have one
        std::unique_ptr<xen::back_ring<netif_tx_request_t, netif_tx_response_t>> tx;
        std::unique_ptr<xen::back_ring<netif_rx_request_t, netif_rx_response_t>> rx;
        std::deque<netif_rx_request_t> pages;
        std::vector<fiber::handle<void>> serving;

        sim_port& notify_rx() { return rx_port.is_open() ? rx_port : tx_port; }
    };

    struct connection {
        explicit connection(sim_netback& of) : own{of} {
            auto& nodes = *of.world.back_store;
            const auto read = [&](const std::string& path) { return nodes.read_number<std::uint32_t>(path); };
            const auto queues = read(of.front + "/multi-queue-num-queues").value_or(1);
            const auto whom = of.guest.world.domain.id();
            for (unsigned i = 0; i < queues; ++i) {
                const auto place = queues == 1 ? of.front : of.front + "/queue-" + std::to_string(i);
                auto& one = *ends.emplace_back(std::make_unique<queue_end>());
                const auto map = [&](const char* name) {
                    const xen::grant_ref refs[]{xen::grant_ref{read(place + name).value()}};
                    return xen::map_grants(of.world.back_grants, whom, refs, xen::access::read_write).value();
                };
                const auto bind = [&](const char* name) {
                    return of.world.dom0.channels.bind_interdomain(whom, xen::port{read(place + name).value()}).value();
                };
                one.tx_page = map("/tx-ring-ref");
                one.rx_page = map("/rx-ring-ref");
                // Two are looked for first, as Linux's does.
                if (read(place + "/event-channel-tx")) {
                    one.tx_port = bind("/event-channel-tx");
                    one.rx_port = bind("/event-channel-rx");
                } else {
                    one.tx_port = bind("/event-channel");
                }
                one.tx = std::make_unique<typename decltype(one.tx)::element_type>(one.tx_page.bytes());
                one.rx = std::make_unique<typename decltype(one.rx)::element_type>(one.rx_page.bytes());
            }
        }

        void run(xen::watch& watch, const std::stop_token& stop) {
            for (std::size_t i = 0; i != ends.size(); ++i) {
                auto& one = *ends[i];
                one.serving.push_back(
                    fiber::spawn([this, i] { serve(i, ends[i]->tx_port); }, {.name = "back end's ring"}));
                if (one.rx_port.is_open())
                    one.serving.push_back(
                        fiber::spawn([this, i] { serve(i, ends[i]->rx_port); }, {.name = "back end's ring"}));
            }
            pump();
            for (;;) {
                if (!watch.next(stop))
                    return;
                const auto state =
                    own.world.back_store->read_state(own.front + "/state").value_or(device_state::unknown);
                if (state == device_state::closing)
                    static_cast<void>(own.world.back_store->write(own.back + "/state", 5));
                if (state == device_state::closed || state == device_state::unknown ||
                    state == device_state::initialising)
                    return;
            }
        }

        void close() {
            open = false;
            for (auto& one : ends) {
                one->tx_port.close();
                one->rx_port.close();
                for (auto& each : one->serving)
                    each.join();
            }
            kept.clear();
            ends.clear();
        }

        void serve(std::size_t number, sim_port& port) {
            while (open && port.is_open()) {
                take(number);
                pump();
                if (!port.is_open() || !port.wait())
                    return;
            }
        }

        /// What the guest has sent through one queue.
        void take(std::size_t number) {
            auto& one = *ends[number];
            while (open && own.behave.answers) {
                netif_tx_request_t first{};
                if (!next(one, first))
                    break;
                std::vector<netif_tx_request_t> parts{first};
                wire_frame frame;
                frame.queue = static_cast<unsigned>(number);
                unsigned extras = 0;
                bool group = false;
                for (bool more = (first.flags & NETTXF_extra_info) != 0; more;) {
                    netif_tx_request_t slot{};
                    REQUIRE(next(one, slot));
                    netif_extra_info_t extra{};
                    std::memcpy(&extra, &slot, sizeof extra);
                    ++extras;
                    more = (extra.flags & XEN_NETIF_EXTRA_FLAG_MORE) != 0;
                    if (extra.type == XEN_NETIF_EXTRA_TYPE_GSO) {
                        frame.gso_type = extra.u.gso.type;
                        frame.gso_size = extra.u.gso.size;
                    } else {
                        group = true;
                        own.groups.emplace_back(extra.type == XEN_NETIF_EXTRA_TYPE_MCAST_ADD,
                                                std::vector<std::uint8_t>(extra.u.mcast.addr, extra.u.mcast.addr + 6));
                    }
                }
                while ((parts.back().flags & NETTXF_more_data) != 0) {
                    netif_tx_request_t slot{};
                    REQUIRE(next(one, slot));
                    parts.push_back(slot);
                }
                REQUIRE(parts.size() <= XEN_NETIF_NR_SLOTS_MIN);
                // The first one says how long the whole is.
                std::size_t left = first.size;
                for (std::size_t i = 1; i < parts.size(); ++i)
                    left -= parts[i].size;
                frame.first_part = left;
                frame.blank = (first.flags & NETTXF_csum_blank) != 0;
                for (std::size_t i = 0; i < parts.size() && !group; ++i) {
                    const std::size_t size = i == 0 ? left : parts[i].size;
                    REQUIRE(parts[i].offset + size <= xen::page_size);
                    auto page = map(parts[i].gref, xen::access::read_only);
                    const bytes part = page.bytes().subspan(parts[i].offset, size);
                    frame.data.insert(frame.data.end(), part.begin(), part.end());
                    if (own.behave.keeps_sent)
                        kept.push_back(std::move(page));
                }
                const auto status = own.behave.status ? own.behave.status(first) : std::int16_t{NETIF_RSP_OKAY};
                for (std::size_t i = 0; i < parts.size(); ++i) {
                    answer(one, {.id = parts[i].id, .status = status});
                    for (unsigned k = 0; i == 0 && k < extras; ++k)
                        answer(one, {.id = 0xdead, .status = NETIF_RSP_NULL});
                }
                if (!open || !one.tx_port.is_open())
                    return;
                if (one.tx->publish())
                    static_cast<void>(one.tx_port.send());
                if (group || status != NETIF_RSP_OKAY)
                    continue;
                if (own.deliver)
                    own.deliver(std::move(frame));
                else
                    own.sent.push_back(std::move(frame));
            }
        }

        /// What waits for the guest, as far as it has given pages for it.
        void pump() {
            for (; open && !own.waiting.empty(); own.waiting.pop_front()) {
                const wire_frame& frame = own.waiting.front();
                auto& one = *ends[frame.queue % ends.size()];
                const std::size_t room = xen::page_size - own.behave.offset;
                const std::size_t first = std::min(frame.data.size(), frame.first_part != 0 ? frame.first_part : room);
                const bool joined = frame.gso_type != XEN_NETIF_GSO_TYPE_NONE;
                const std::size_t slots = 1 + (frame.data.size() - first + room - 1) / room + (joined ? 1 : 0);
                for (netif_rx_request_t page{}; one.pages.size() < slots;) {
                    const auto there = one.rx->take(page);
                    REQUIRE(there.has_value());
                    if (!*there)
                        return;
                    one.pages.push_back(page);
                }
                std::size_t at = 0;
                for (std::size_t i = 0; i != slots; ++i) {
                    const auto page = one.pages.front();
                    one.pages.pop_front();
                    netif_rx_response_t slot{};
                    if (i == 1 && joined) {
                        netif_extra_info_t extra{};
                        extra.type = XEN_NETIF_EXTRA_TYPE_GSO;
                        extra.u.gso.size = frame.gso_size;
                        extra.u.gso.type = frame.gso_type;
                        std::memcpy(&slot, &extra, sizeof slot);
                    } else {
                        const std::size_t size = i == 0 ? first : std::min(room, frame.data.size() - at);
                        unsigned flags = at + size != frame.data.size() ? NETRXF_more_data : 0;
                        if (i == 0)
                            flags |= (frame.blank ? NETRXF_csum_blank | NETRXF_data_validated : 0u) |
                                     (frame.validated ? NETRXF_data_validated : 0u) | (joined ? NETRXF_extra_info : 0u);
                        auto mapped = map(page.gref, xen::access::read_write);
                        std::copy_n(frame.data.begin() + static_cast<std::ptrdiff_t>(at), size,
                                    mapped.bytes().begin() + static_cast<std::ptrdiff_t>(own.behave.offset));
                        if (own.behave.keeps_received)
                            kept.push_back(std::move(mapped));
                        slot = {.id = page.id,
                                .offset = static_cast<std::uint16_t>(own.behave.offset),
                                .flags = static_cast<std::uint16_t>(flags),
                                .status = static_cast<std::int16_t>(size)};
                        at += size;
                    }
                    if (own.behave.forge_frame)
                        own.behave.forge_frame(slot);
                    one.rx->push(slot);
                }
                if (one.rx->publish())
                    static_cast<void>(one.notify_rx().send());
            }
        }

        bool next(queue_end& one, netif_tx_request_t& into) {
            const auto there = one.tx->take(into);
            REQUIRE(there.has_value());
            return *there;
        }
        void answer(queue_end& one, netif_tx_response_t what) {
            if (own.behave.forge_answer)
                own.behave.forge_answer(what);
            one.tx->push(what);
        }
        xen::basic_mapping<domain> map(grant_ref_t ref, xen::access wanted) {
            const xen::grant_ref refs[]{xen::grant_ref{ref}};
            return xen::map_grants(own.world.back_grants, own.guest.world.domain.id(), refs, wanted).value();
        }

        sim_netback& own;
        std::vector<std::unique_ptr<queue_end>> ends;
        std::vector<xen::basic_mapping<domain>> kept;
        bool open = true;
    };

    bool await(xen::watch& watch, device_state wanted, const std::stop_token& stop) {
        for (;;) {
            if (!watch.next(stop))
                return false;
            if (world.back_store->read_state(front + "/state").value_or(device_state::unknown) == wanted)
                return true;
        }
    }

    /// From InitWait to the end of the connection, again and again.
    void serve(const std::stop_token& stop) {
        auto& nodes = *world.back_store;
        auto watch = nodes.watch_path(front + "/state").value();
        while (!stop.stop_requested()) {
            for (const auto& [name, value] : behave.offers)
                static_cast<void>(nodes.write(back + "/" + name, value));
            static_cast<void>(nodes.write(back + "/state", 2));
            if (!await(watch, device_state::connected, stop) || !behave.connects)
                break;
            try {
                connected.emplace(*this);
            } catch (const tl::bad_expected_access<error>&) {
                // The rings of a connection that the guest has just given up.
                continue;
            }
            static_cast<void>(nodes.write(back + "/state", 4));
            connected->run(watch, stop);
            connected->close();
            connected.reset();
            static_cast<void>(nodes.write(back + "/state", 6));
        }
    }

    std::optional<connection> connected;
};

/// Joins two interfaces by a wire.
inline void join(sim_netback& one, sim_netback& other) {
    const auto to = [](sim_netback& there) {
        return [&there](wire_frame frame) {
            frame.validated = frame.blank;
            frame.first_part = 0;
            there.give(std::move(frame));
        };
    };
    one.deliver = to(other);
    other.deliver = to(one);
}

}  // namespace halvm::sim
