// SPDX-License-Identifier: BSD-3-Clause
// What a stack has counted since it was made, one struct a layer. Each packet that is dropped is in one counter, by
// its reason.
#pragma once

#include <cstdint>

namespace halvm::net {

struct link_statistics {
    std::uint64_t received = 0;  ///< frames
    std::uint64_t transmitted = 0;
    std::uint64_t batches = 0;  ///< of received frames
    std::uint64_t bad_frame = 0;
    std::uint64_t for_others = 0;
    std::uint64_t unknown_protocol = 0;
    std::uint64_t queue_full = 0;  ///< to be sent
    std::uint64_t no_link = 0;
    friend bool operator==(const link_statistics&, const link_statistics&) = default;
};

struct neighbour_statistics {
    std::uint64_t requests_sent = 0;
    std::uint64_t replies_sent = 0;
    std::uint64_t received = 0;
    std::uint64_t bad_packet = 0;
    std::uint64_t not_asked_for = 0;  ///< answers to no question of ours
    std::uint64_t resolved = 0;
    std::uint64_t absent = 0;       ///< gave no answer
    std::uint64_t queue_full = 0;   ///< packets
    std::uint64_t undelivered = 0;  ///< packets that waited for one who is absent
    std::uint64_t evicted = 0;      ///< because the table is full
    std::uint64_t conflicts = 0;    ///< somebody else uses an address of ours
    friend bool operator==(const neighbour_statistics&, const neighbour_statistics&) = default;
};

struct ip_statistics {
    std::uint64_t received = 0;
    std::uint64_t delivered = 0;
    std::uint64_t sent = 0;
    std::uint64_t bad_header = 0;
    std::uint64_t bad_checksum = 0;
    std::uint64_t bad_source = 0;       ///< no host can have it
    std::uint64_t bad_destination = 0;  ///< may not come over a wire, or not in such a frame
    std::uint64_t source_route = 0;
    std::uint64_t not_ours = 0;
    std::uint64_t unknown_protocol = 0;
    std::uint64_t no_memory = 0;
    std::uint64_t no_route = 0;
    std::uint64_t fragments_received = 0;
    std::uint64_t reassembled = 0;
    std::uint64_t overlaps = 0;  ///< datagrams given up for them
    std::uint64_t repeated_fragments = 0;
    std::uint64_t reassembly_timeouts = 0;
    std::uint64_t reassembly_limit = 0;  ///< datagrams given up because there were too many
    std::uint64_t fragmented = 0;        ///< datagrams
    std::uint64_t fragments_sent = 0;
    std::uint64_t too_big = 0;  ///< to be sent, and not to be fragmented
    friend bool operator==(const ip_statistics&, const ip_statistics&) = default;
};

struct icmp_statistics {
    std::uint64_t received = 0;
    std::uint64_t bad_message = 0;
    std::uint64_t echo_requests = 0;
    std::uint64_t echo_replies = 0;
    std::uint64_t errors_received = 0;
    std::uint64_t errors_sent = 0;
    std::uint64_t rate_limited = 0;
    std::uint64_t not_allowed = 0;  ///< errors about what none may be sent about
    std::uint64_t ignored = 0;
    std::uint64_t mtu_reduced = 0;
    friend bool operator==(const icmp_statistics&, const icmp_statistics&) = default;
};

struct udp_statistics {
    std::uint64_t received = 0;  ///< into a socket
    std::uint64_t sent = 0;
    std::uint64_t bad_datagram = 0;
    std::uint64_t bad_checksum = 0;
    std::uint64_t no_port = 0;
    std::uint64_t queue_full = 0;
    std::uint64_t no_memory = 0;
    std::uint64_t errors = 0;  ///< that sockets were told of
    friend bool operator==(const udp_statistics&, const udp_statistics&) = default;
};

struct tcp_statistics {
    std::uint64_t received = 0;  ///< segments
    std::uint64_t sent = 0;
    std::uint64_t bytes_received = 0;  ///< those that came twice, too
    std::uint64_t bytes_sent = 0;
    std::uint64_t opened = 0;    ///< connections from here
    std::uint64_t accepted = 0;  ///< connections from others
    std::uint64_t refused = 0;   ///< there was no port for, or the user did not want it
    std::uint64_t closed = 0;
    std::uint64_t timed_out = 0;
    std::uint64_t abandoned = 0;  ///< the peer did not close within the limit, when nobody waited any more

    std::uint64_t bad_segment = 0;
    std::uint64_t bad_checksum = 0;
    std::uint64_t not_unicast = 0;
    std::uint64_t out_of_window = 0;
    std::uint64_t old_timestamp = 0;  ///< [rfc7323 5]
    std::uint64_t no_timestamp = 0;
    std::uint64_t bad_acknowledgment = 0;
    std::uint64_t duplicates = 0;
    std::uint64_t out_of_order = 0;
    std::uint64_t no_room = 0;  ///< data that came out of order, or when memory was short
    std::uint64_t data_after_close = 0;

    std::uint64_t retransmitted = 0;
    std::uint64_t timeouts = 0;
    std::uint64_t recoveries = 0;  ///< from losses that acknowledgments told of
    std::uint64_t window_probes = 0;
    std::uint64_t keep_alives = 0;
    std::uint64_t delayed_acknowledgments = 0;

    std::uint64_t resets_received = 0;
    std::uint64_t resets_sent = 0;
    std::uint64_t resets_limited = 0;
    std::uint64_t challenges = 0;  ///< [rfc5961]
    std::uint64_t challenges_limited = 0;
    std::uint64_t handshakes_failed = 0;
    std::uint64_t backlog_full = 0;
    std::uint64_t cookies_sent = 0;
    std::uint64_t cookies_accepted = 0;
    std::uint64_t time_waits_cut = 0;
    std::uint64_t limit_reached = 0;  ///< connections that were not made
    std::uint64_t no_memory = 0;      ///< segments that were not sent
    friend bool operator==(const tcp_statistics&, const tcp_statistics&) = default;
};

struct dhcp_statistics {
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
    std::uint64_t not_ours = 0;  ///< of another exchange or client
    std::uint64_t bad_message = 0;
    std::uint64_t naks = 0;
    std::uint64_t declined = 0;
    std::uint64_t renewed = 0;
    std::uint64_t expired = 0;
    friend bool operator==(const dhcp_statistics&, const dhcp_statistics&) = default;
};

struct dns_statistics {
    std::uint64_t queries = 0;
    std::uint64_t answers = 0;
    std::uint64_t cached = 0;     ///< questions that the cache, or a static entry, answered
    std::uint64_t not_asked = 0;  ///< messages that answer no question of ours
    std::uint64_t truncated = 0;
    std::uint64_t refused = 0;  ///< a server would or could not answer
    std::uint64_t timeouts = 0;
    friend bool operator==(const dns_statistics&, const dns_statistics&) = default;
};

struct stack_statistics {
    link_statistics link;
    neighbour_statistics neighbours;
    ip_statistics ip;
    icmp_statistics icmp;
    udp_statistics udp;
    tcp_statistics tcp;
    dhcp_statistics dhcp;
    dns_statistics dns;
    friend bool operator==(const stack_statistics&, const stack_statistics&) = default;
};

}  // namespace halvm::net
