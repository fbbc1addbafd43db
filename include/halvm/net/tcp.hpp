// SPDX-License-Identifier: BSD-3-Clause
// TCP for programs: listeners, and connections that are ByteStreams. What they do is in tcp/: this is where fibers wait
// for it. [rfc9293 3.9]
//
//   auto listener = stack.tcp().listen(80).value();
//   while (auto connection = listener.accept()) ...
//   auto peer = stack.tcp().connect("example.org", 443, halvm::fiber::within(10s));
#pragma once

#include <halvm/fiber/mutex.hpp>
#include <halvm/net/byte_stream.hpp>
#include <halvm/net/stack.hpp>
#include <halvm/net/tcp/engine.hpp>

#include <memory>
#include <span>
#include <string_view>

namespace halvm::net {

class tcp_layer;

/// One end of a connection. Given up when it is destroyed: what was queued still goes out, and what the peer writes is
/// refused; if something that came was not read, the peer is told by a reset. Pre: then nobody waits in it, and the
/// stack is there still. Errors say the peer's address and port.
class tcp_connection {
public:
    tcp_connection(tcp_connection&&) noexcept;
    tcp_connection& operator=(tcp_connection&&) noexcept;
    ~tcp_connection();

    [[nodiscard]] const endpoint& local() const noexcept;
    [[nodiscard]] const endpoint& remote() const noexcept;

    /// Blocks until at least one byte has come. 0 only for an empty `into`, or when the peer has ended its half.
    /// Errors, when all was read that had come before: std::errc::connection_reset by the peer; timed_out, when the
    /// peer has not answered for as long as tcp::connection_options say, and by the limit; host_unreachable and its
    /// kin, as ICMP said when nothing came; connection_aborted after abort(); operation_canceled by the limit.
    result<std::size_t> read(bytes into, const fiber::wait_limit& limit = {});
    /// Returns once all of `data` is queued; blocks while there is no room for it. Several fibers may write: the bytes
    /// of one call stay together. Errors: std::errc::broken_pipe after shutdown(); not_enough_memory; as read(). A part
    /// may be queued then.
    result<void> write(const_bytes data, const fiber::wait_limit& limit = {});
    /// The same from several places, one after the other.
    result<void> write_pieces(std::span<const const_bytes> data, const fiber::wait_limit& limit = {});
    /// Ends our half, behind what was written; reading goes on. Never blocks. Again, it does nothing.
    result<void> shutdown();
    /// Ends our half, and blocks until the peer has acknowledged everything. What the peer still writes is refused
    /// once the connection is destroyed. Errors: as write().
    result<void> close(const fiber::wait_limit& limit = {});
    /// Ends it at once, by a reset. What waits fails.
    void abort() noexcept;

    /// For one fiber that has many: whether read() would return at once, and whether write() would take a byte.
    [[nodiscard]] bool readable() const noexcept;
    [[nodiscard]] bool writable() const noexcept;
    /// Are signalled when that may have become so. As long as the connection; a move leaves them where they are.
    [[nodiscard]] fiber::wait_queue& readers() noexcept;
    [[nodiscard]] fiber::wait_queue& writers() noexcept;

    /// Whether small segments go out at once; a listener's connections begin as its options say.
    void set_no_delay(bool on);
    /// Its state, window, round trip: for looking at.
    [[nodiscard]] const tcp::connection& details() const noexcept;

private:
    friend class tcp_layer;
    friend class tcp_listener;
    struct state;
    explicit tcp_connection(std::unique_ptr<state> own) noexcept;
    result<void> write_some(const_bytes data, const fiber::wait_limit& limit);

    std::unique_ptr<state> state_;
};

/// Closed when it is destroyed: what nobody has accepted is reset. Pre: then nobody waits in it.
class tcp_listener {
public:
    tcp_listener(tcp_listener&&) noexcept;
    tcp_listener& operator=(tcp_listener&&) noexcept;
    ~tcp_listener();

    [[nodiscard]] const endpoint& local() const noexcept;
    /// Blocks until somebody has connected. Errors: std::errc::timed_out and operation_canceled by the limit;
    /// broken_pipe after close(); not_enough_memory.
    result<tcp_connection> accept(const fiber::wait_limit& limit = {});
    /// Whether accept() would return at once, and what is signalled when that becomes so.
    [[nodiscard]] bool ready() const noexcept;
    [[nodiscard]] fiber::wait_queue& acceptors() noexcept;
    /// Nobody can connect any more; what waits in accept() fails. Again, it does nothing.
    void close() noexcept;

private:
    friend class tcp_layer;
    struct state;
    explicit tcp_listener(std::unique_ptr<state> own) noexcept;

    std::unique_ptr<state> state_;
};

struct tcp_listening {
    ip_address address{};     ///< unspecified: all of ours
    std::uint16_t port = 0;   ///< 0: any that is free
    std::size_t backlog = 0;  ///< 0: as stack_limits::tcp says
    tcp::connection_options options{};
};

class tcp_layer final : public stack_service, public ip_protocol_handler, private tcp::network {
public:
    explicit tcp_layer(stack& own);
    ~tcp_layer() override;

    /// Errors: std::errc::address_in_use; address_not_available for one that is not ours.
    result<tcp_listener> listen(const tcp_listening& what);
    result<tcp_listener> listen(std::uint16_t port) { return listen(tcp_listening{.port = port}); }

    /// Blocks until the peer has answered. Errors: std::errc::connection_refused by the peer; timed_out when it has
    /// not answered within tcp::settings::connect_timeout, and by the limit; operation_canceled by the limit;
    /// host_unreachable and its kin, as ICMP said; no_buffer_space at a limit; address_in_use when no port is free;
    /// not_enough_memory; those of stack::find_path(). `from` says what of our end is not left to the stack: an address
    /// of ours, a port [rfc9293 3.9.1.1]; then also address_not_available.
    result<tcp_connection> connect(const endpoint& remote, const fiber::wait_limit& limit = {},
                                   const tcp::connection_options& options = {}, const endpoint& from = {});
    /// To the first of a name's addresses that answers. Errors: also those of dns_resolver::resolve().
    result<tcp_connection> connect(std::string_view name, std::uint16_t port, const fiber::wait_limit& limit = {},
                                   const tcp::connection_options& options = {});

    /// Blocks until the peers have acknowledged all that was queued in connections that were destroyed since, and their
    /// ends: nobody sends it any more once the program is over. Errors: std::errc::timed_out and operation_canceled by
    /// the limit.
    result<void> drain(const fiber::wait_limit& limit);

    /// What stands below the sockets: for tests and for looking at.
    [[nodiscard]] tcp::engine& engine() noexcept { return engine_; }

    std::optional<ip_refusal> receive(ip_datagram& in) override;
    void failed(const ip_error& about) override;
    void batch_ended() override {
        if (!draining_.empty())
            fiber::this_scheduler().signal_all(draining_);
    }
    void room_made() override { engine_.resume(); }

private:
    friend class tcp_connection;
    friend class tcp_listener;

    struct path_name {
        ip_address local;
        ip_address remote;
        friend bool operator==(const path_name&, const path_name&) noexcept = default;
    };
    struct path_hash {
        std::size_t operator()(const path_name& of) const noexcept { return std::hash<ip_address>{}(of.remote); }
    };
    struct known_path {
        path_name key{};
        path way{};
        std::uint64_t found_at = 0;
    };

    [[nodiscard]] fiber::instant now() noexcept override { return alarm_clock::now(); }
    void send(const tcp::flow& way, const tcp::outgoing& what, tcp::connection* of) noexcept override;
    result<tcp::segment_sizes> sizes(const tcp::flow& way) noexcept override;
    [[nodiscard]] std::uint32_t longest(const tcp::connection& of) noexcept override;
    [[nodiscard]] std::uint64_t random() noexcept override { return stack_.random().next(); }
    void deadline_changed() noexcept override;

    result<path> find_path(const tcp::flow& way);
    void ring() noexcept;

    struct own_alarm : alarm {
        explicit own_alarm(tcp_layer& in) noexcept
            : alarm{[](alarm& one) noexcept { static_cast<own_alarm&>(one).own.ring(); }}, own{in} {}
        tcp_layer& own;
    };

    stack& stack_;
    fixed_table<known_path, path_hash> paths_;
    own_alarm alarm_{*this};
    fiber::wait_queue draining_{"TCP connections to drain", true};
    tcp::engine engine_;
};

static_assert(WatchableStream<tcp_connection>);
static_assert(Listener<tcp_listener>);

}  // namespace halvm::net
