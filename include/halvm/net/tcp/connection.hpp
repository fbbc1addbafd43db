// SPDX-License-Identifier: BSD-3-Clause
// One connection's state machine: it is given segments, the time and its user's calls, and gives segments to a network
// and news to an observer. It never blocks, and allocates nothing for a segment. [rfc9293 3.10]
#pragma once

#include <halvm/net/alarm.hpp>
#include <halvm/net/tcp/congestion.hpp>
#include <halvm/net/tcp/network.hpp>
#include <halvm/net/tcp/reassembly.hpp>
#include <halvm/net/tcp/recovery.hpp>
#include <halvm/net/tcp/rtt.hpp>

#include <boost/intrusive/list.hpp>

#include <system_error>

namespace halvm::net::tcp {

class engine;
class listener;

/// [rfc9293 3.3.2] A listener is none of these but a thing of its own.
enum class state : std::uint8_t {
    closed,
    syn_sent,
    syn_received,
    established,
    fin_wait_1,
    fin_wait_2,
    close_wait,
    closing,
    last_ack,
    time_wait,
};

/// What both ends have agreed on when they were introduced.
struct handshake {
    tcp_sequence iss;
    tcp_sequence irs;
    std::uint16_t peer_mss = 536;  ///< what it says, or the default [rfc9293 3.7.1]
    bool scales = false;
    std::uint8_t send_scale = 0;
    std::uint8_t receive_scale = 0;
    bool selective = false;
    bool stamped = false;
    std::uint32_t peer_stamp = 0;
    std::uint32_t stamp_offset = 0;
    bool repeated = false;   ///< it took more than one try
    std::uint64_t took = 0;  ///< nanoseconds; 0 when that is not known
};

class connection : public alarm {
public:
    [[nodiscard]] const flow& ends() const noexcept { return flow_; }
    [[nodiscard]] state now() const noexcept { return state_; }
    /// Why it ended, when not in the orderly way; 0 else.
    [[nodiscard]] std::errc failure() const noexcept { return failure_; }
    [[nodiscard]] bool is_open() const noexcept { return state_ != state::closed && state_ != state::time_wait; }
    [[nodiscard]] bool is_connecting() const noexcept {
        return state_ == state::syn_sent || state_ == state::syn_received;
    }

    // --- the user's calls

    /// Queues as many bytes as there is room for, from the front, and sends what may be sent.
    /// Pre: can_send().
    std::size_t write(const payload_view& data);
    /// Whether it was not shut down, and is not broken.
    [[nodiscard]] bool can_send() const noexcept { return is_open() && !fin_wanted_; }
    [[nodiscard]] std::size_t room() const noexcept;
    /// Everything that was written, and the FIN, has been acknowledged.
    [[nodiscard]] bool is_drained() const noexcept { return queued_ == 0 && (!fin_wanted_ || fin_acknowledged_); }

    /// How many bytes of what has come. 0 when there is nothing now, or is_at_end().
    std::size_t read(bytes into);
    [[nodiscard]] std::size_t readable() const noexcept { return received_.readable(); }
    /// The peer has said that nothing more comes, and all was read.
    [[nodiscard]] bool is_at_end() const noexcept { return fin_received_ && received_.readable() == 0; }

    /// No more is written: the peer is told behind what was. Again, it does nothing.
    void shutdown();
    /// Ends it at once; the peer is told so by a reset.
    void abort();
    void set_no_delay(bool on);
    [[nodiscard]] const connection_options& options() const noexcept { return options_; }
    void watch(observer* by) noexcept { observer_ = by; }

    // --- what may be of interest

    [[nodiscard]] const rtt_estimator& rtt() const noexcept { return rtt_; }
    [[nodiscard]] std::uint32_t congestion_window() const noexcept { return congestion_.window(); }
    [[nodiscard]] std::uint32_t peer_window() const noexcept { return send_window_; }
    [[nodiscard]] std::uint16_t segment_size() const noexcept { return mss_; }
    [[nodiscard]] recovery::phase recovering() const noexcept { return recovery_.now(); }

private:
    friend class engine;
    friend class listener;
    friend struct connection_queue;

    connection(engine& own, const flow& ends, const connection_options& how);
    ~connection();

    // Of the engine.
    void open(const segment_sizes& sizes);
    void establish(const handshake& agreed, const segment_sizes& sizes, std::uint32_t window);
    void arrive(const wire::tcp_header& header, payload_view data);
    void unreachable(std::errc why, bool is_hard, tcp_sequence quoted);
    void path_narrowed(tcp_sequence quoted, std::uint16_t size);
    void release();
    void ring_now();
    [[nodiscard]] bool is_finished() const noexcept { return released_ && !is_open(); }

    // tcp_input.cpp
    void arrive_syn_sent(const wire::tcp_header& header, payload_view data);
    [[nodiscard]] bool is_acceptable(const wire::tcp_header& header, std::size_t size) const noexcept;
    [[nodiscard]] bool is_old_by_stamp(const wire::tcp_header& header) const noexcept;
    void take_stamp(const wire::tcp_header& header) noexcept;
    bool take_acknowledgment(const wire::tcp_header& header, std::size_t size);
    void acknowledge_new(const wire::tcp_header& header);
    void measure(const wire::tcp_header& header) noexcept;
    void take_data(const wire::tcp_header& header, payload_view data);
    void take_fin();
    void our_fin_acknowledged();
    void agree(const wire::tcp_options& theirs) noexcept;
    void begin_to_send();
    void challenge();
    void answer_unacceptable(const wire::tcp_header& header, std::size_t size);

    // tcp_output.cpp
    void output();
    bool send_next();
    bool send_new();
    void send_range(sequence_range range, bool again);
    void send_syn();
    void send_acknowledgment();
    void send_reset();
    void send_probe();
    void send_keep_alive();
    void emit(outgoing& what, tcp_sequence at);
    [[nodiscard]] std::uint16_t segment_room() const noexcept;
    void add_blocks(wire::tcp_options& to) noexcept;
    [[nodiscard]] std::uint32_t offered_window() noexcept;
    [[nodiscard]] bool window_update_due() const noexcept;
    [[nodiscard]] std::uint32_t stamp_now() const noexcept;

    // tcp_connection.cpp
    void set_mss(std::uint16_t peer, std::uint16_t path) noexcept;
    void retransmission_due();
    [[nodiscard]] instant given_up_at() const noexcept;
    void arm();
    void arm_retransmission() noexcept;
    void tell() noexcept;
    void end(std::errc why);
    void tune_receive_buffer(std::size_t was_read) noexcept;
    [[nodiscard]] instant now_is() const noexcept;

    [[nodiscard]] tcp_sequence receive_next() const noexcept { return received_.next() + (fin_received_ ? 1u : 0u); }
    [[nodiscard]] tcp_sequence data_end() const noexcept { return buffer_at_ + queued_; }
    [[nodiscard]] bool fin_sent() const noexcept { return fin_wanted_ && next_ == data_end() + 1u; }
    [[nodiscard]] std::uint32_t in_flight() const noexcept { return static_cast<std::uint32_t>(next_ - una_); }
    [[nodiscard]] bool may_send_data() const noexcept {
        return state_ != state::closed && state_ != state::time_wait && !is_connecting();
    }

    engine& engine_;
    flow flow_;
    connection* next_in_bucket_ = nullptr;
    boost::intrusive::list_member_hook<> queue_hook_;  // of a listener, or of those who wait for room to send
    listener* waits_at_ = nullptr;                     // to be accepted
    observer* observer_ = nullptr;
    connection_options options_;
    state state_ = state::closed;
    std::errc failure_{};
    std::errc soft_failure_{};  // what ICMP said, should it come to nothing

    // Flags.
    bool released_ = false;  // nobody uses it any more
    bool fin_wanted_ = false;
    bool fin_acknowledged_ = false;
    bool fin_received_ = false;
    bool fin_is_known_ = false;  // where the peer's stream ends
    bool scales_ = false;
    bool selective_ = false;
    bool stamped_ = false;
    bool acknowledge_now_ = false;
    bool probing_ = false;  // all that is in flight is a probe of a closed window
    bool used_up_ = false;  // the congestion window kept something from being sent
    bool timing_ = false;
    bool syn_repeated_ = false;
    bool has_duplicate_ = false;
    std::uint8_t send_scale_ = 0;
    std::uint8_t receive_scale_ = 0;
    std::uint8_t syn_doublings_ = 0;
    std::uint8_t probes_ = 0;  // of a closed window, or of an idle peer
    std::uint16_t peer_mss_ = 536;
    std::uint16_t path_mss_ = 536;
    std::uint16_t own_mss_ = 536;  // what we have told the peer
    std::uint16_t mss_ = 536;      // what a segment of ours carries
    std::uint16_t seen_mss_ = 0;   // what a segment of the peer's carries

    // What we send. [rfc9293 3.3.1]
    tcp_sequence iss_;
    tcp_sequence una_;
    tcp_sequence next_;
    tcp_sequence most_;  // the end of all that was ever sent
    tcp_sequence wl1_;
    tcp_sequence wl2_;
    tcp_sequence buffer_at_;  // of the first byte in the buffer
    tcp_sequence timed_;
    std::uint32_t send_window_ = 0;
    std::uint32_t greatest_window_ = 0;
    std::uint32_t queued_ = 0;  // bytes in the buffer
    std::uint32_t send_limit_;

    // What we receive.
    tcp_sequence irs_;
    tcp_sequence edge_;  // the end of the window that was offered
    tcp_sequence peer_fin_;
    tcp_sequence last_acknowledged_;
    sequence_range duplicate_;
    std::uint32_t receive_limit_;
    std::uint32_t unacknowledged_ = 0;
    std::uint32_t read_since_ = 0;

    std::uint32_t stamp_offset_ = 0;
    std::uint32_t stamp_recent_ = 0;
    std::uint32_t resent_stamp_ = 0;  // of the last segment that was sent again
    instant stamp_taken_ = 0;

    instant retransmit_at_ = fiber::never;  // or a probe of a closed window
    instant acknowledge_at_ = fiber::never;
    instant life_ends_at_ = fiber::never;  // of a handshake, and of what nobody waits for
    instant heard_at_ = 0;
    instant sent_at_ = 0;
    instant timed_at_ = 0;
    instant progress_at_ = 0;
    instant tuned_at_ = 0;
    instant answered_at_ = 0;

    rtt_estimator rtt_;
    congestion congestion_;
    recovery recovery_;
    stream_buffer sent_;
    reassembly received_;
};

struct connection_queue
    : boost::intrusive::list<connection, boost::intrusive::member_hook<connection, boost::intrusive::list_member_hook<>,
                                                                       &connection::queue_hook_>> {};

}  // namespace halvm::net::tcp
