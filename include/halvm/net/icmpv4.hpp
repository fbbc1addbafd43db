// SPDX-License-Identifier: BSD-3-Clause
// ICMP for IPv4: answers echo requests, sends them, tells senders what went wrong, and the protocols over IP what
// others say went wrong. [rfc792] [rfc1122 3.2.2]
#pragma once

#include <halvm/net/alarm.hpp>
#include <halvm/net/ip.hpp>
#include <halvm/net/wire/icmpv4.hpp>

#include <chrono>

namespace halvm::net {

class icmpv4_layer final : public ip_protocol_handler {
public:
    explicit icmpv4_layer(stack& own) noexcept : stack_{own} {}

    std::optional<ip_refusal> receive(ip_datagram& in) override;
    void failed(const ip_error& about) override;

    /// Tells the sender of `about`, which begins with its IP header, if it may be told and the rate allows.
    /// [rfc1122 3.2.2] [rfc1812 4.3.2.7]
    void report(const ip_datagram& about, const wire::icmpv4_error& what);

    /// An echo request that waits for its reply, in the frame of who sent it.
    struct echo {
        ip_address to;
        std::uint16_t identifier = 0;
        std::uint16_t sequence = 0;
        std::size_t size = 0;
        bool answered = false;
        std::optional<ip_problem> problem{};
        fiber::wait_queue waiting{"a ping's reply", true};
        echo* next = nullptr;
    };
    /// False at the limit.
    bool add(echo& one) noexcept;
    void remove(echo& one) noexcept;

private:
    bool may_send() noexcept;
    void answer(ip_datagram& in);
    void take_reply(const ip_datagram& in, const wire::icmpv4_view& message);
    void take_error(const ip_datagram& in, const wire::icmpv4_view& message);

    stack& stack_;
    echo* echoes_ = nullptr;
    std::uint64_t tokens_ = 0;  // in millionths of an error
    bool filled_ = false;
    fiber::instant filled_at_ = 0;
};

}  // namespace halvm::net
