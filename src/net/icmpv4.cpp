// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/net/icmpv4.hpp>

#include <halvm/net/offload.hpp>
#include <halvm/net/stack.hpp>

#include <algorithm>
#include <chrono>

namespace halvm::net {

using namespace wire;

std::optional<ip_refusal> icmpv4_layer::receive(ip_datagram& in) {
    icmp_statistics& counted = stack_.counters().icmp;
    ++counted.received;
    // An error quotes no more; what comes behind is an echo's data, which nobody here looks at.
    const std::size_t looked_at =
        std::min(in.whole.size(), in.header + icmpv4_field::size + icmpv4_field::greatest_quote);
    const auto front = in.whole.linearize(looked_at);
    if (!front) {
        ++stack_.counters().ip.no_memory;
        return std::nullopt;
    }
    const auto message = icmpv4_view::parse(front->subspan(in.header));
    if (!message || !sum_from(in.whole, in.header).is_right()) {
        ++counted.bad_message;
        return std::nullopt;
    }
    if (message->type() == icmpv4_type::echo_request && message->code() == 0)
        answer(in);
    else if (message->type() == icmpv4_type::echo_reply && message->code() == 0)
        take_reply(in, *message);
    else if (message->is_error())
        take_error(in, *message);
    else
        ++counted.ignored;
    return std::nullopt;
}

/// In the memory in which it came.
void icmpv4_layer::answer(ip_datagram& in) {
    icmp_statistics& counted = stack_.counters().icmp;
    ++counted.echo_requests;
    // One to all is not answered, so that nobody makes us all answer one. [rfc1122 3.2.2.6]
    if (in.cast != ip_cast::unicast || in.link_group || !stack_.is_ours(in.destination)) {
        ++counted.ignored;
        return;
    }
    const auto way = stack_.find_path(in.source, in.destination);
    packet reply = std::move(in.whole);
    reply.trim_front(in.header);
    const auto header = reply.writable(icmpv4_field::size);
    if (!way || !header)
        return;
    const std::uint16_t old = load16(*header, icmpv4_field::type);
    const auto now = static_cast<std::uint16_t>(static_cast<unsigned>(icmpv4_type::echo_reply) << 8);
    const std::uint16_t sum = load16(*header, icmpv4_field::checksum);
    store16(*header, icmpv4_field::type, now);
    store16(*header, icmpv4_field::checksum, checksum::updated(sum, old, now));
    reply.metadata().checksum = packet_checksum::present;
    ++counted.echo_replies;
    static_cast<void>(
        stack_.send(*way, {.protocol = ip_protocol::icmp, .traffic_class = in.traffic_class}, std::move(reply)));
}

void icmpv4_layer::take_reply(const ip_datagram& in, const icmpv4_view& message) {
    for (echo* one = echoes_; one != nullptr; one = one->next) {
        if (one->identifier != message.identifier() || one->sequence != message.sequence() || one->to != in.source ||
            in.payload_size() != icmpv4_field::size + one->size)
            continue;
        one->answered = true;
        fiber::this_scheduler().signal_all(one->waiting);
        return;
    }
    ++stack_.counters().icmp.ignored;
}

void icmpv4_layer::take_error(const ip_datagram& in, const icmpv4_view& message) {
    icmp_statistics& counted = stack_.counters().icmp;
    const icmpv4_quote quote = message.quote();
    // It must be about what we can have sent. [rfc5927 4]
    if (in.cast != ip_cast::unicast || !stack_.is_ours(quote.source()) || quote.source() != in.destination.v4() ||
        quote.fragment_offset() != 0 || quote.payload().size() < 8) {
        ++counted.ignored;
        return;
    }
    ip_error about{.protocol = quote.protocol(),
                   .reporter = in.source,
                   .source = quote.source(),
                   .destination = quote.destination(),
                   .transport = quote.payload()};
    switch (message.type()) {
    case icmpv4_type::destination_unreachable:
        switch (unreachable_code{message.code()}) {
        case unreachable_code::network:
        case unreachable_code::network_unknown: about.problem = ip_problem::network_unreachable; break;
        case unreachable_code::protocol: about.problem = ip_problem::protocol_unreachable; break;
        case unreachable_code::port: about.problem = ip_problem::port_unreachable; break;
        case unreachable_code::fragmentation_needed:
            about.problem = ip_problem::too_big;
            about.mtu =
                stack_.ipv4().reduce_path_mtu(quote.destination(), message.next_hop_mtu(), quote.total_length());
            break;
        case unreachable_code::network_prohibited:
        case unreachable_code::host_prohibited:
        case unreachable_code::communication_prohibited: about.problem = ip_problem::prohibited; break;
        default: about.problem = ip_problem::host_unreachable;
        }
        break;
    case icmpv4_type::time_exceeded: about.problem = ip_problem::time_exceeded; break;
    case icmpv4_type::parameter_problem: about.problem = ip_problem::bad_parameter; break;
    default:
        // Redirects would let anybody on the link lead our packets; source quench means nothing. [rfc6633]
        ++counted.ignored;
        return;
    }
    ++counted.errors_received;
    if (ip_protocol_handler* const handler = stack_.handler_of(quote.protocol()))
        handler->failed(about);
}

void icmpv4_layer::failed(const ip_error& about) {
    if (about.problem == ip_problem::too_big ||
        icmpv4_type{load8(about.transport, icmpv4_field::type)} != icmpv4_type::echo_request)
        return;
    for (echo* one = echoes_; one != nullptr; one = one->next)
        if (one->identifier == load16(about.transport, icmpv4_field::identifier) &&
            one->sequence == load16(about.transport, icmpv4_field::sequence) && one->to == about.destination) {
            one->problem = about.problem;
            fiber::this_scheduler().signal_all(one->waiting);
        }
}

bool icmpv4_layer::may_send() noexcept {
    constexpr std::uint64_t one = 1'000'000'000;
    const stack_limits& limits = stack_.limits();
    const std::uint64_t most = limits.icmp_error_burst * one;
    const fiber::instant now = alarm_clock::now();
    // At the beginning there are as many as ever; then the time that has passed brings more.
    const std::uint64_t passed = std::min<std::uint64_t>(now - filled_at_, 60 * one);
    tokens_ = filled_ ? std::min(most, tokens_ + passed * limits.icmp_errors_per_second) : most;
    filled_ = true;
    filled_at_ = now;
    if (tokens_ < one)
        return false;
    tokens_ -= one;
    return true;
}

void icmpv4_layer::report(const ip_datagram& about, const icmpv4_error& what) {
    icmp_statistics& counted = stack_.counters().icmp;
    const ipv4_address to = about.source.v4();
    const auto front = about.whole.front();
    const bool allowed = about.cast == ip_cast::unicast && !about.link_group && to.is_unicast() &&
                         !about.in->is_broadcast(about.source) && stack_.is_ours(about.destination) &&
                         front.size() > about.header &&
                         (about.protocol != ip_protocol::icmp ||
                          load8(front, about.header) == static_cast<std::uint8_t>(icmpv4_type::echo_request));
    if (!allowed) {
        ++counted.not_allowed;
        return;
    }
    if (!may_send()) {
        ++counted.rate_limited;
        return;
    }
    const auto original = ipv4_view::parse(front, about.whole.size());
    const auto way = stack_.find_path(about.source, about.destination);
    if (!original || !way)
        return;
    auto made = way->via->allocate(icmpv4_error::size(*original));
    if (!made) {
        ++stack_.counters().ip.no_memory;
        return;
    }
    what.write(made->front(), *original);
    ++counted.errors_sent;
    static_cast<void>(stack_.send(*way, {.protocol = ip_protocol::icmp}, std::move(*made)));
}

bool icmpv4_layer::add(echo& one) noexcept {
    std::size_t count = 0;
    for (const echo* at = echoes_; at != nullptr; at = at->next)
        ++count;
    if (count >= stack_.limits().pings)
        return false;
    one.next = echoes_;
    echoes_ = &one;
    return true;
}

void icmpv4_layer::remove(echo& one) noexcept {
    for (echo** at = &echoes_; *at != nullptr; at = &(*at)->next)
        if (*at == &one) {
            *at = one.next;
            return;
        }
}

}  // namespace halvm::net
