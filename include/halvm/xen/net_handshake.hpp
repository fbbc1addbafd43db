// SPDX-License-Identifier: BSD-3-Clause
// What the two ends of a virtual network interface tell each other through the XenStore before frames travel: what the
// back end offers, what the toolstack has decided, and what the front end wants and where its rings are.
// [xen/io/netif.h]
#pragma once

#include <halvm/device/nic.hpp>
#include <halvm/xen/frontend.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <system_error>
#include <utility>

namespace halvm::xen {

struct netfront_options {
    std::uint32_t queues = 1;  ///< at most; one VCPU has use for one
    /// Of each queue: pages for what is received, and how many of them wait in the ring at most.
    std::uint32_t receive_pages = 272;
    std::uint32_t receive_ring = 256;
    /// Of all queues together: pages, and halves of pages, for what is sent.
    std::uint32_t transmit_pages = 96;
    std::uint32_t transmit_halves = 64;
    std::size_t copied = 256;        ///< bytes of a frame that is copied rather than granted or handed up, at most
    bool receive_blank = true;       ///< frames with blank checksums
    bool receive_joined = true;      ///< joined segments; only with blank checksums
    bool split_channels = true;      ///< a port for each direction, when the back end can
    bool multicast_control = false;  ///< only those groups that join() named, when the back end can
    bool trusted = true;             ///< false: grant nothing but the device's own memory, and copy the rest there
    std::chrono::nanoseconds patience = std::chrono::seconds{30};  ///< for the back end to connect
};

/// What was agreed on with the back end, besides what info() says.
struct netfront_features {
    std::uint32_t queues = 0;
    bool scatter_gather = false;
    bool split_channels = false;
    bool multicast_control = false;
    bool trusted = true;
};

/// What a connection is to be like: that of a front end with certain options and a back end.
struct net_agreement {
    netfront_features features{};
    nic_info info{};  ///< without a link so far
};

namespace detail {
inline constexpr std::uint32_t longest_frame = 0xffff;
inline constexpr std::uint32_t link_header = ethernet::header_size + ethernet::tag_size;
}  // namespace detail

/// What the toolstack has decided. Errors: address_errc when the address is none; bad_message when it is a group's, or
/// the mtu below what IPv4 asks for; those of the XenStore.
inline result<void> read_net_identity(front_device& device, net_agreement& into, const wait_limit& limit) {
    xenstore_connection& store = device.store();
    const std::string& path = device.path();
    const auto text = store.read(path + "/mac", limit);
    if (!text)
        return failure(text.error());
    const auto mac = mac_address::parse(*text);
    if (!mac)
        return failure(error{mac.error().code(), "use a NIC whose address is none:", *text});
    if (!mac->is_unicast())
        return failure(
            error{std::make_error_code(std::errc::bad_message), "use a NIC whose address is a group's:", *text});
    into.info.mac = *mac;
    const auto mtu = store.read_number<std::uint32_t>(path + "/mtu", limit);
    // Without scatter and gather a frame is one slot, which is no more than a page.
    const std::uint32_t most =
        (into.features.scatter_gather ? detail::longest_frame : std::uint32_t{page_size}) - detail::link_header;
    into.info.mtu = std::min(mtu.value_or(1500), most);
    if (into.info.mtu < 68)
        return failure(error{std::make_error_code(std::errc::bad_message), "use a NIC whose mtu is below 68:", path});
    return {};
}

/// What there is to agree on with the back end that waits for us, of `most_queues` at most.
/// Errors: those of read_net_identity(); bad_message when the back end describes no interface that frames can be copied
/// to, or one of its words is no number.
inline result<net_agreement> read_net_offers(front_device& device, const netfront_options& options,
                                             std::uint32_t most_queues, const wait_limit& limit) {
    net_agreement made;
    netfront_features& agreed = made.features;
    nic_info& into = made.info;
    into.link_up = false;
    std::array<unsigned, 8> number{};
    constexpr std::array<std::pair<const char*, unsigned>, 8> names{{{"feature-rx-copy", 0},
                                                                     {"feature-sg", 0},
                                                                     {"feature-gso-tcpv4", 0},
                                                                     {"feature-gso-tcpv6", 0},
                                                                     {"feature-no-csum-offload", 0},
                                                                     {"feature-ipv6-csum-offload", 0},
                                                                     {"feature-split-event-channels", 0},
                                                                     {"feature-multicast-control", 0}}};
    for (std::size_t i = 0; i != names.size(); ++i) {
        const auto value = device.offered(names[i].first, names[i].second, limit);
        if (!value)
            return failure(value.error());
        number[i] = *value;
    }
    const auto [copies, sg, gso4, gso6, no_csum4, csum6, split, multicast] = number;
    if (copies == 0)
        return failure(error{std::make_error_code(std::errc::bad_message),
                             "use a NIC whose back end does not copy:", device.backend()});
    const auto queues = device.offered("multi-queue-max-queues", 1u, limit);
    if (!queues)
        return failure(queues.error());
    agreed.queues = std::clamp(*queues, 1u, most_queues);
    agreed.scatter_gather = sg != 0;
    agreed.split_channels = options.split_channels && split != 0;
    agreed.multicast_control = options.multicast_control && multicast != 0;
    const auto trust = device.store().read_number<unsigned>(device.path() + "/trusted", limit);
    agreed.trusted = options.trusted && trust.value_or(1) != 0;

    if (auto done = read_net_identity(device, made, limit); !done)
        return failure(done.error());
    into.queues = static_cast<std::uint16_t>(agreed.queues);
    into.most_pieces = XEN_NETIF_NR_SLOTS_MIN;
    into.transmit.checksum_ipv4 = no_csum4 == 0;
    into.transmit.checksum_ipv6 = csum6 != 0;
    into.transmit.longest_tcp_ipv4 = sg != 0 && gso4 != 0 && no_csum4 == 0 ? detail::longest_frame : 0;
    into.transmit.longest_tcp_ipv6 = sg != 0 && gso6 != 0 && csum6 != 0 ? detail::longest_frame : 0;
    into.receive.checksum_ipv4 = into.receive.checksum_ipv6 = options.receive_blank;
    into.receive.longest_tcp_ipv4 = into.receive.longest_tcp_ipv6 =
        options.receive_joined ? detail::longest_frame + detail::link_header : 0;
    return made;
}

/// What this end wants, where its queues are, and that it is connected, all at once. Errors: those of the XenStore.
template <class Queues>
result<void> announce_net(front_device& device, const netfront_options& options, const netfront_features& agreed,
                          const Queues& queues, const wait_limit& limit) {
    const std::string& path = device.path();
    return device.store().transact(
        [&](transaction& nodes) -> result<void> {
            const std::array<std::pair<const char*, bool>, 8> flags{
                {{"/request-rx-copy", true},
                 {"/feature-rx-notify", true},
                 {"/feature-sg", true},
                 {"/feature-no-csum-offload", !options.receive_blank},
                 {"/feature-ipv6-csum-offload", options.receive_blank},
                 {"/feature-gso-tcpv4", options.receive_joined},
                 {"/feature-gso-tcpv6", options.receive_joined},
                 {"/request-multicast-control", agreed.multicast_control}}};
            for (const auto& [name, on] : flags)
                if (auto done = nodes.write(path + name, on ? 1 : 0); !done)
                    return done;
            // Also when it is one: there may be the word of another who had the interface before.
            if (auto done = nodes.write(path + "/multi-queue-num-queues", queues.size()); !done)
                return done;
            for (std::size_t i = 0; i < queues.size(); ++i) {
                const auto place = queues.size() == 1 ? path : path + "/queue-" + std::to_string(i);
                if (auto done = queues[i]->describe(nodes, place); !done)
                    return done;
            }
            return nodes.write(path + "/state", static_cast<unsigned>(device_state::connected));
        },
        limit);
}

}  // namespace halvm::xen
