// SPDX-License-Identifier: BSD-3-Clause
// How much a stack holds and how long it waits. Every limit can be set; what is dropped because of one is counted in
// statistics.hpp. Memory for the tables is taken once.
#pragma once

#include <halvm/net/tcp/settings.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace halvm::net {

struct stack_limits {
    std::size_t interfaces = 16;
    std::size_t addresses = 16;  ///< of one interface
    std::size_t routes = 64;
    std::size_t transmit_queue = 256;  ///< frames that wait for one NIC
    std::size_t loopback_queue = 256;
    std::size_t loopback_memory = 64;  ///< packets of 2 KiB on the way to ourselves; taken at their first use

    std::size_t neighbours = 256;
    std::size_t neighbour_queue = 8;                     ///< packets that wait for one neighbour's address
    std::size_t neighbour_queue_all = 64;                ///< and for all of them
    unsigned neighbour_probes = 3;                       ///< unanswered, after which it is not there
    std::chrono::milliseconds neighbour_interval{1000};  ///< between two of them [rfc1122 2.3.2.1]
    std::chrono::milliseconds neighbour_fresh{30'000};   ///< before it is asked again, if it is used
    std::chrono::milliseconds neighbour_absent{1000};    ///< how long we do not ask for one that did not answer

    unsigned address_probes = 3;                          ///< PROBE_NUM [rfc5227 1.1]
    std::chrono::milliseconds address_probe_wait{1000};   ///< PROBE_WAIT
    std::chrono::milliseconds address_probe_least{1000};  ///< PROBE_MIN
    std::chrono::milliseconds address_probe_most{2000};   ///< PROBE_MAX, and ANNOUNCE_WAIT
    unsigned announcements = 2;                           ///< ANNOUNCE_NUM
    std::chrono::milliseconds announcement_interval{2000};
    std::chrono::milliseconds defend_interval{10'000};  ///< between two defences of an address [rfc5227 2.4]

    unsigned icmp_errors_per_second = 100;
    unsigned icmp_error_burst = 20;

    std::size_t reassemblies = 16;
    std::size_t fragments = 128;  ///< held in all
    std::chrono::milliseconds reassembly_time{30'000};
    std::size_t path_mtus = 64;
    std::uint32_t least_path_mtu = 552;                ///< less than this nobody can tell us
    std::chrono::milliseconds path_mtu_time{600'000};  ///< [rfc1191 6.3]

    std::size_t udp_sockets = 256;
    std::size_t udp_queue = 64;       ///< datagrams that wait in one socket
    std::size_t udp_queue_all = 256;  ///< and in all of them: they hold the NIC's memory
    std::size_t pings = 16;           ///< under way at once

    tcp::settings tcp{};

    std::size_t dns_cache = 64;
    std::size_t dns_hosts = 32;      ///< static entries
    std::size_t dns_addresses = 16;  ///< kept of one name
    std::size_t dns_servers = 4;
    std::size_t dns_aliases = 8;                  ///< CNAMEs that are followed
    unsigned dns_attempts = 3;                    ///< over all servers
    std::chrono::milliseconds dns_timeout{2000};  ///< of the first attempt; each next one takes twice as long
    std::chrono::seconds dns_longest{86'400};     ///< an answer is kept
    std::chrono::seconds dns_longest_negative{900};
};

}  // namespace halvm::net
