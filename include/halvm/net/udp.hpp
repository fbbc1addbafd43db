// SPDX-License-Identifier: BSD-3-Clause
// UDP: sockets that send and receive datagrams, alone or many at once. [rfc768] [rfc1122 4.1]
#pragma once

#include <halvm/net/endpoint.hpp>
#include <halvm/net/stack.hpp>

#include <array>
#include <memory>
#include <optional>
#include <span>

namespace halvm::net {

/// To be sent, or received.
struct datagram {
    packet payload;
    endpoint remote;     ///< to be sent: not looked at when the socket is connected
    ip_address local{};  ///< received: what it was sent to; to be sent: from where, unspecified is the socket's choice
    std::uint16_t in = 0;  ///< received: the interface's number
};

struct udp_binding {
    ip_address address{};      ///< unspecified: all of ours, of either family
    std::uint16_t port = 0;    ///< 0: any that is free, which nobody can guess [rfc6056]
    interface* via = nullptr;  ///< only what comes and goes there
    bool broadcast = false;    ///< may send to more than one host
    bool shared = false;       ///< others that say so too may have the same port: each gets all groups' datagrams
    bool may_be_fragmented = true;
    std::uint8_t ttl = 64;
    std::uint8_t traffic_class = 0;
};

/// An error about a datagram that was sent from a socket. [rfc1122 4.1.3.3]
struct udp_error {
    std::error_code code;
    endpoint remote;        ///< to which it went
    std::uint32_t mtu = 0;  ///< for std::errc::message_size
};

class udp_layer;

/// Closed when it is destroyed. Pre: then nobody waits in it, and the stack is there still.
class udp_socket {
public:
    udp_socket(udp_socket&&) noexcept;
    udp_socket& operator=(udp_socket&&) noexcept;
    [[gnu::cold]] ~udp_socket();

    /// The address is unspecified unless the socket was bound to one or connected.
    [[nodiscard]] endpoint local() const noexcept;
    [[nodiscard]] std::optional<endpoint> remote() const noexcept;

    /// From now on only that end is sent to and received from, and errors about it fail the calls that follow, once
    /// each. What waits already from others is dropped. Errors: those of stack::find_path();
    /// std::errc::permission_denied for a group without udp_binding::broadcast.
    [[gnu::cold]] result<void> connect(const endpoint& remote);
    void disconnect() noexcept;

    /// Blocks until there is a datagram. Its packet is the NIC's memory: keep it no longer than needed.
    /// Errors: std::errc::timed_out and operation_canceled by the limit; what ip_problem stands for when it is
    /// connected.
    result<datagram> receive_from(const fiber::wait_limit& limit = {});
    /// The same with all that are there, up to the size of `into`; how many. Pre: `into` is not empty.
    result<std::size_t> receive_from(std::span<datagram> into, const fiber::wait_limit& limit = {});
    /// Copies it; what does not fit is lost. How large it was.
    result<std::size_t> receive_from(bytes into, endpoint& from, const fiber::wait_limit& limit = {});
    /// Never blocks.
    std::optional<datagram> try_receive() noexcept;

    /// Copies `data` into a packet of the interface's. Blocks until there is room in its queue.
    /// Errors: std::errc::message_size for more than a datagram can hold, or than fits when it must not be fragmented;
    /// permission_denied as connect(); destination_address_required without an end; those of stack::find_path() and
    /// ip_layer::send(); by the limit.
    result<void> send_to(const_bytes data, const endpoint& to, const fiber::wait_limit& limit = {});
    /// Without a copy: one made by allocate(), or one that was received.
    result<void> send_to(packet data, const endpoint& to, const fiber::wait_limit& limit = {});
    /// To where the socket is connected.
    result<void> send(const_bytes data, const fiber::wait_limit& limit = {});
    /// From the front, all that can be sent without an error, in one batch. How many; an error only about the first.
    result<std::size_t> send_to(std::span<datagram> data, const fiber::wait_limit& limit = {});

    /// A payload of `size` bytes in memory that goes to `to` without a copy. Errors: those of stack::find_path();
    /// not_enough_memory.
    result<packet> allocate(const endpoint& to, std::size_t size);

    /// The last error about something that this socket sent, and forgets it: for one that is not connected.
    std::optional<udp_error> take_error() noexcept;
    /// Datagrams that were dropped because nobody fetched those before.
    [[nodiscard]] std::uint64_t dropped() const noexcept;

private:
    friend class udp_layer;
    struct state;
    explicit udp_socket(std::unique_ptr<state> own) noexcept;

    result<path> find_path(const endpoint& to, const ip_address& from);
    result<void> send_one(packet& data, const endpoint& to, const ip_address& from, const fiber::wait_limit& limit);

    std::unique_ptr<state> state_;
};

class udp_layer final : public stack_service, public ip_protocol_handler {
public:
    explicit udp_layer(stack& own);
    ~udp_layer() override;

    /// Errors: std::errc::address_in_use; address_not_available for one that is not ours; no_buffer_space at the limit.
    [[gnu::cold]] result<udp_socket> bind(const udp_binding& what);
    result<udp_socket> bind(std::uint16_t port) { return bind(udp_binding{.port = port}); }
    result<udp_socket> bind() { return bind(udp_binding{}); }

    std::optional<ip_refusal> receive(ip_datagram& in) override;
    [[gnu::cold]] void failed(const ip_error& about) override;

    /// Sends by a path that need not be one of the table's: DHCP's. The payload's headers must fit in front.
    result<void> send_through(const path& way, const ip_sending& how, std::uint16_t from, std::uint16_t to,
                              packet payload);

private:
    friend class udp_socket;
    static constexpr std::size_t buckets = 64;

    [[nodiscard, gnu::cold]] bool is_free(const udp_binding& what) const noexcept;
    [[gnu::cold]] result<std::uint16_t> free_port(udp_binding what) noexcept;

    /// A copy that shares the bytes to each socket but the last, which is returned.
    [[gnu::cold]] udp_socket::state* give_group(const ip_datagram& in, const endpoint& from, std::uint16_t port);

    stack& stack_;
    std::array<udp_socket::state*, buckets> sockets_{};  // by local port
    std::size_t count_ = 0;
    std::size_t queued_ = 0;  // datagrams, in all sockets
};

}  // namespace halvm::net
