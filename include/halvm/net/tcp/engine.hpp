// SPDX-License-Identifier: BSD-3-Clause
// All connections of a stack, without a NIC and without fibers: which segment is whose, handshakes that are not done,
// listeners, what is left of connections that have ended, and when something is to be done next. Whoever has a network
// can drive it, by a script too.
#pragma once

#include <halvm/net/fixed_table.hpp>
#include <halvm/net/statistics.hpp>
#include <halvm/net/tcp/connection.hpp>
#include <halvm/net/tcp/secret.hpp>

#include <memory>
#include <vector>

namespace halvm::net::tcp {

/// Where connections come in. Handshakes are answered without one: it is told of those that are done.
class listener {
public:
    [[nodiscard]] const endpoint& local() const noexcept { return local_; }
    /// Done, and accepted by nobody yet.
    [[nodiscard]] std::size_t waiting() const noexcept { return queue_.size(); }
    /// The oldest of those; null when there is none. Its user is whoever called, and releases it.
    connection* accept() noexcept;
    void watch(observer* by) noexcept { observer_ = by; }

private:
    friend class engine;
    listener(const endpoint& local, const connection_options& how, std::size_t backlog) noexcept
        : local_{local}, options_{how}, backlog_{backlog} {}

    endpoint local_;  // the address may be unspecified: any of ours
    connection_options options_;
    std::size_t backlog_;
    observer* observer_ = nullptr;
    connection_queue queue_;
};

class engine {
public:
    /// Throws: std::bad_alloc, for its tables.
    engine(const settings& how, network& below, tcp_statistics& counters);
    /// Pre: every connection and listener was released. What is left is forgotten without a word.
    ~engine();
    engine(const engine&) = delete;
    engine& operator=(const engine&) = delete;

    /// Begins a connection; its user is whoever called. A local port of 0 is any that is free [rfc6056].
    /// Errors: std::errc::address_in_use; no_buffer_space at the limit; not_enough_memory; those of network::sizes().
    result<connection*> connect(flow ends, const connection_options& how);
    /// Errors: std::errc::address_in_use; not_enough_memory. Pre: the port is not 0.
    result<listener*> listen(const endpoint& local, const connection_options& how, std::size_t backlog);
    /// Its user goes: the peer is told that no more comes; what is left to do is done without one.
    void release(connection& one);
    /// Ends what waits there.
    void release(listener& one);

    /// A segment that has come, with a checksum that was right. `way` is as seen from here.
    void receive(const flow& way, const wire::tcp_header& header, payload_view data);
    /// About a segment that was sent and came to nothing. [rfc5927]
    void unreachable(const flow& way, tcp_sequence quoted, std::errc why, bool is_hard);
    void path_narrowed(const flow& way, tcp_sequence quoted);
    /// There is room to send again, for those who found none.
    void resume();
    /// Does what is due.
    void advance();
    /// When advance() is to be called; fiber::never when nothing is to be done.
    [[nodiscard]] instant deadline() noexcept { return wheel_.earliest(); }

    [[nodiscard]] std::size_t connections() const noexcept { return count_; }
    /// Whether the peers of all connections that were released have acknowledged what was queued.
    [[nodiscard]] bool is_drained() const noexcept;
    [[nodiscard]] std::size_t half_open() const noexcept { return half_open_.size(); }
    [[nodiscard]] std::size_t time_waits() const noexcept { return time_waits_.size(); }
    /// `visit(connection&)`, which must not end it.
    template <class Visit>
    void for_each(Visit visit) {
        for (connection* one : buckets_)
            for (; one != nullptr; one = one->next_in_bucket_)
                visit(*one);
    }

    [[nodiscard]] const settings& how() const noexcept { return settings_; }
    [[nodiscard]] network& below() noexcept { return network_; }
    [[nodiscard]] tcp_statistics& counters() noexcept { return counters_; }
    [[nodiscard]] memory& store() noexcept { return memory_; }
    [[nodiscard]] const memory& store() const noexcept { return memory_; }
    [[nodiscard]] instant now() const noexcept { return network_.now(); }

private:
    friend class connection;

    struct table_hash {
        std::size_t operator()(const flow& of) const noexcept;
    };
    /// A SYN that was answered. [rfc4987 3.5]
    struct half_open_entry : alarm {
        half_open_entry() noexcept : alarm{[](alarm& one) noexcept { static_cast<half_open_entry&>(one).due(); }} {}
        void due() noexcept { own->half_open_due(*this); }

        flow key{};
        engine* own = nullptr;
        listener* to = nullptr;
        handshake agreed{};
        segment_sizes sizes{};
        instant began = 0;
        std::uint8_t tries = 0;
    };
    /// What is left of a connection that both ends have closed. [rfc9293 3.3.2] [rfc6191]
    struct time_wait_entry {
        flow key{};
        tcp_sequence next{};     // what we would send
        tcp_sequence receive{};  // what we expect
        bool stamped = false;
        std::uint32_t peer_stamp = 0;
        std::uint32_t stamp_offset = 0;
        instant ends = 0;
    };
    struct bucket_limit {
        std::uint64_t second = 0;
        unsigned used = 0;
    };

    // What connections ask for.
    tcp_sequence first_sequence(const flow& of) const noexcept;
    std::uint32_t stamp_offset(const flow& of) const noexcept;
    [[nodiscard]] std::uint8_t window_scale() const noexcept { return window_scale_; }
    bool may_challenge() noexcept;
    void reset(const flow& way, const wire::tcp_header& to, std::size_t size);
    void set_timer(alarm& one, instant when) noexcept;
    void wait_out(connection& one);
    void ended(connection& one) noexcept;
    void await_room(connection& one) noexcept;
    void reap(connection& one) noexcept;

    result<connection*> make(const flow& ends, const connection_options& how);
    void insert(connection& one);
    void remove(connection& one) noexcept;
    [[nodiscard]] connection*& bucket_of(const flow& of) noexcept;
    [[nodiscard]] connection* find(const flow& of) noexcept;
    [[nodiscard]] listener* find_listener(const endpoint& local) noexcept;
    [[nodiscard]] bool is_limited(bucket_limit& by, unsigned per_second) noexcept;

    // tcp_handshake.cpp
    void receive_syn(listener& at, const flow& way, const wire::tcp_header& header);
    bool receive_half_open(half_open_entry& one, const flow& way, const wire::tcp_header& header, payload_view data);
    bool receive_cookie(listener& at, const flow& way, const wire::tcp_header& header, payload_view data);
    bool receive_time_wait(time_wait_entry& one, const flow& way, const wire::tcp_header& header, payload_view data);
    void send_syn_ack(const flow& way, const handshake& agreed, std::uint16_t own_mss);
    void half_open_due(half_open_entry& one) noexcept;
    void drop(half_open_entry& one) noexcept;
    connection* establish(listener& at, const flow& way, const handshake& agreed, const segment_sizes& sizes,
                          const wire::tcp_header& header);
    std::uint32_t cookie(const flow& way, tcp_sequence irs, std::uint32_t count, unsigned mss) const noexcept;
    void time_wait_due() noexcept;

    settings settings_;
    network& network_;
    tcp_statistics& counters_;
    memory memory_;
    fiber::timer_wheel wheel_;
    keyed_hash secret_;
    std::uint64_t table_secret_;
    std::uint8_t window_scale_ = 0;
    std::vector<connection*> buckets_;
    std::size_t count_ = 0;
    std::vector<std::unique_ptr<listener>> listeners_;
    connection_queue without_room_;
    fixed_table<half_open_entry, table_hash> half_open_;
    fixed_table<time_wait_entry, table_hash> time_waits_;
    bucket_limit challenges_;
    unsigned most_challenges_ = 0;  // in this second
    bucket_limit resets_;
    tcp_sequence floor_{};  // a reused connection's sequence numbers begin above it [rfc6191]
    bool has_floor_ = false;

    struct time_wait_alarm : alarm {
        explicit time_wait_alarm(engine& in) noexcept
            : alarm{[](alarm& one) noexcept { static_cast<time_wait_alarm&>(one).own.time_wait_due(); }}, own{in} {}
        engine& own;
    } time_wait_alarm_{*this};
};

}  // namespace halvm::net::tcp
