// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/net/stack.hpp>

namespace halvm::net {

using namespace wire;

result<std::chrono::nanoseconds> stack::ping(const ip_address& to, const fiber::wait_limit& limit,
                                             const ping_options& options) {
    constexpr const char* attempted = "ping";
    if (options.size > ipv4_field::greatest_datagram - ipv4_field::size - icmpv4_field::size)
        return network_failure(std::errc::message_size, attempted);
    if (!to.is_v4())
        return network_failure(std::errc::address_family_not_supported, attempted);
    const auto way = find_path(to);
    if (!way)
        return failure(way.error());
    if (way->cast != ip_cast::unicast)
        return network_failure(std::errc::permission_denied, attempted);
    auto request = way->via->allocate(icmpv4_field::size + options.size);
    if (!request)
        return failure(request.error());

    icmpv4_layer::echo own{.to = to,
                           .identifier = static_cast<std::uint16_t>(random_.next()),
                           .sequence = static_cast<std::uint16_t>(random_.next()),
                           .size = options.size};
    std::uint8_t value = 0;
    std::size_t skip = icmpv4_field::size;
    checksum sum;
    for (const bytes piece : request->pieces()) {
        const bytes data = piece.subspan(skip);
        skip = 0;
        for (std::byte& one : data)
            one = std::byte{value++};
        sum.add(data);
    }
    icmpv4_echo{false, own.identifier, own.sequence}.write(request->front(), sum);
    if (!icmpv4_.add(own))
        return network_failure(std::errc::no_buffer_space, attempted);
    struct at_end {
        icmpv4_layer& layer;
        icmpv4_layer::echo& one;
        ~at_end() { layer.remove(one); }
    } removing{icmpv4_, own};
    const fiber::instant begin = alarm_clock::now();
    const ip_sending how{
        .protocol = ip_protocol::icmp, .ttl = options.ttl, .may_be_fragmented = options.may_be_fragmented};
    if (auto sent = send(*way, how, std::move(*request)); !sent)
        return failure(sent.error());
    if (!own.answered && !own.problem) {
        const fiber::wake end = fiber::this_scheduler().wait(own.waiting, limit);
        if (end != fiber::wake::signalled)
            return fiber::detail::gave_up(end, attempted);
    }
    if (own.problem)
        return failure(error{error_code_of(*own.problem), attempted});
    return std::chrono::nanoseconds{alarm_clock::now() - begin};
}

}  // namespace halvm::net
