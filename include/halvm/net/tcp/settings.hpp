// SPDX-License-Identifier: BSD-3-Clause
// What can be set: of one connection, and of all that a stack has. Whatever is dropped because of a limit is counted.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace halvm::net::tcp {

enum class congestion_algorithm : std::uint8_t { cubic, new_reno };

/// Of one connection, or of all that a listener accepts.
struct connection_options {
    bool no_delay =
        false;  ///< small segments do not wait for acknowledgments: Nagle's algorithm is off [rfc9293 3.7.4]
    bool keep_alive = false;  ///< an idle peer is asked whether it is there still [rfc9293 3.8.4]
    congestion_algorithm congestion = congestion_algorithm::cubic;
    std::uint8_t traffic_class = 0;
    std::uint8_t ttl = 64;
    std::uint8_t keep_alive_probes = 9;          ///< unanswered, after which the peer is gone
    std::chrono::seconds keep_alive_idle{7200};  ///< before the first
    std::chrono::seconds keep_alive_interval{75};
    std::chrono::seconds user_timeout{300};  ///< without progress, after which the peer is gone [rfc9293 3.8.3]
};

struct settings {
    std::size_t connections = 4096;         ///< of one stack, those that are being closed too
    std::size_t half_open = 256;            ///< handshakes that are remembered; more are answered by cookies
    std::size_t backlog = 128;              ///< of one listener: connections that nobody has accepted yet
    std::size_t time_waits = 1024;          ///< the oldest one ends early when there are more
    std::size_t memory = 16 * 1024 * 1024;  ///< for the data of all connections
    std::size_t out_of_order_ranges = 64;   ///< of one connection

    /// How much of a stream is held in one direction: at first, and as much as the path turns out to need.
    std::uint32_t send_buffer = 64 * 1024;
    std::uint32_t most_send_buffer = 4 * 1024 * 1024;
    std::uint32_t receive_buffer = 64 * 1024;
    std::uint32_t most_receive_buffer = 4 * 1024 * 1024;

    /// [rfc6298 2]; the RFC asks for a least of one second, which is longer than what others use by far.
    std::chrono::milliseconds first_rto{1000};
    std::chrono::milliseconds least_rto{200};
    std::chrono::milliseconds most_rto{60'000};
    std::chrono::milliseconds delayed_ack{40};     ///< [rfc9293 3.8.6.3]: less than 500 ms
    std::chrono::milliseconds time_wait{60'000};   ///< twice the longest life of a segment
    std::chrono::milliseconds fin_wait_2{60'000};  ///< for the peer to close, once nobody reads here
    std::chrono::seconds connect_timeout{180};     ///< [rfc9293 3.8.3]
    unsigned syn_ack_retries = 5;

    unsigned challenge_acks_per_second = 100;  ///< on average: from half to one and a half of it [rfc5961 7]
    unsigned resets_per_second = 500;          ///< in answer to what belongs to no connection
    bool timestamps = true;
    bool window_scale = true;
    bool selective_acks = true;
    bool cookies = true;  ///< [rfc4987 3.6]; without them the oldest handshake makes room
};

}  // namespace halvm::net::tcp
