// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/net/udp.hpp>

#include <halvm/net/offload.hpp>
#include <halvm/net/wire/udp.hpp>

#include <algorithm>
#include <memory>

namespace halvm::net {

using namespace wire;

/// Stays where it is while the socket is moved; the queue's memory is taken once.
struct udp_socket::state {
    udp_layer& layer;
    udp_binding own;
    std::optional<endpoint> remote{};
    ip_address chosen{};  ///< the source that connect() found
    std::unique_ptr<datagram[]> queue{};
    std::size_t room = 0;
    std::size_t first = 0;
    std::size_t count = 0;
    std::uint64_t dropped = 0;
    std::optional<udp_error> failure{};
    std::optional<path> way{};
    ip_address asked_from{};
    std::uint64_t found_at = 0;
    fiber::wait_queue waiting{"a UDP datagram", true};
    state* next = nullptr;

    [[nodiscard]] bool is_bound() const noexcept { return !own.address.is_unspecified(); }
    /// How well it fits; 0 when not. The more it says, the better. [rfc1122 4.1.3.5]
    [[nodiscard]] unsigned fits(const ip_address& to, const endpoint& from, const interface* in) const noexcept {
        if (own.via != nullptr && own.via != in)
            return 0;
        if (is_bound() && own.address != to)
            return 0;
        if (remote && *remote != from)
            return 0;
        // A connected socket hears what comes to the address that it sends from.
        if (remote && !is_bound() && chosen != to)
            return 0;
        return 1u + (own.via != nullptr ? 1 : 0) + (is_bound() ? 2 : 0) + (remote ? 4 : 0);
    }
    /// A group's datagram comes to all sockets with the port, bound to an address or not. [rfc1122 4.1.3.3]
    [[nodiscard]] bool hears(const interface* in, const endpoint& from) const noexcept {
        return (own.via == nullptr || own.via == in) && (!is_bound() || in->has(own.address)) &&
               (!remote || *remote == from);
    }
    datagram take() noexcept {
        datagram taken = std::move(queue[first]);
        first = first + 1 != room ? first + 1 : 0;
        --count;
        --layer.queued_;
        return taken;
    }
    void put(datagram one) noexcept {
        udp_statistics& counted = layer.stack_.counters().udp;
        if (count == room || layer.queued_ >= layer.stack_.limits().udp_queue_all) {
            ++counted.queue_full;
            ++dropped;
            return;
        }
        const std::size_t at = first + count;
        queue[at < room ? at : at - room] = std::move(one);
        ++count;
        ++layer.queued_;
        ++counted.received;
        fiber::this_scheduler().signal(waiting);
    }
};

udp_layer& stack::udp() { return service<udp_layer>(); }

udp_layer::udp_layer(stack& own) : stack_{own} { own.attach(ip_protocol::udp, *this); }

udp_layer::~udp_layer() { Expects(count_ == 0); }

bool udp_layer::is_free(const udp_binding& what) const noexcept {
    for (const udp_socket::state* one = sockets_[what.port % buckets]; one != nullptr; one = one->next)
        if (one->own.port == what.port && one->own.address == what.address && one->own.via == what.via &&
            !(one->own.shared && what.shared))
            return false;
    return true;
}

result<std::uint16_t> udp_layer::free_port(udp_binding what) noexcept {
    constexpr std::uint16_t first = 49152, count = 65535 - first + 1;  // [rfc6335 6]
    const std::uint32_t begin = stack_.random().below(count);
    for (std::uint32_t i = 0; i < count; ++i) {
        what.port = static_cast<std::uint16_t>(first + (begin + i) % count);
        if (is_free(what))
            return what.port;
    }
    return network_failure(std::errc::address_in_use, "find a free UDP port");
}

result<udp_socket> udp_layer::bind(const udp_binding& what) {
    constexpr const char* attempted = "bind a UDP socket";
    if (count_ == stack_.limits().udp_sockets)
        return network_failure(std::errc::no_buffer_space, attempted);
    if (!what.address.is_unspecified() && !stack_.is_ours(what.address))
        return network_failure(std::errc::address_not_available, attempted);
    udp_binding own = what;
    if (own.port == 0) {
        const auto port = free_port(own);
        if (!port)
            return failure(port.error());
        own.port = *port;
    } else if (!is_free(own)) {
        return network_failure(std::errc::address_in_use, attempted);
    }
    std::unique_ptr<udp_socket::state> made{new udp_socket::state{*this, own}};
    made->room = stack_.limits().udp_queue;
    made->queue.reset(new datagram[made->room]);
    made->next = std::exchange(sockets_[own.port % buckets], made.get());
    ++count_;
    return udp_socket{std::move(made)};
}

udp_socket::state* udp_layer::give_group(const ip_datagram& in, const endpoint& from, std::uint16_t port) {
    udp_socket::state* last = nullptr;
    for (udp_socket::state* one = sockets_[port % buckets]; one != nullptr; one = one->next) {
        if (one->own.port != port || !one->hears(in.in, from))
            continue;
        if (last != nullptr) {
            if (auto copy = in.whole.clone()) {
                copy->trim_front(in.header + udp_field::size);
                last->put({std::move(*copy), from, in.destination, in.in->number()});
            } else {
                ++stack_.counters().udp.no_memory;
            }
        }
        last = one;
    }
    return last;
}

std::optional<ip_refusal> udp_layer::receive(ip_datagram& in) {
    udp_statistics& counted = stack_.counters().udp;
    const auto front = in.whole.linearize(std::min(in.whole.size(), in.header + udp_field::size));
    const auto header = front ? udp_view::parse(front->subspan(in.header), in.payload_size()) : failure(front.error());
    if (!header || header->destination_port() == 0) {
        ++counted.bad_datagram;
        return std::nullopt;
    }
    const std::size_t length = header->length();
    in.whole.trim_back(in.payload_size() - length);
    if (header->has_checksum() && in.whole.metadata().checksum == packet_checksum::present) {
        checksum sum = checksum::pseudo_header(in.source, in.destination, ip_protocol::udp, length);
        sum.add(sum_from(in.whole, in.header));
        if (!sum.is_right()) {
            ++counted.bad_checksum;
            return std::nullopt;
        }
    }
    const endpoint from{in.source, header->source_port()};
    const std::uint16_t port = header->destination_port();
    const std::uint16_t number = in.in->number();
    udp_socket::state* best = nullptr;
    if (in.cast == ip_cast::unicast) {
        unsigned most = 0;
        for (udp_socket::state* one = sockets_[port % buckets]; one != nullptr; one = one->next)
            if (one->own.port == port)
                if (const unsigned fits = one->fits(in.destination, from, in.in); fits > most) {
                    most = fits;
                    best = one;
                }
    } else {
        best = give_group(in, from, port);
    }
    if (best == nullptr) {
        ++counted.no_port;
        return ip_refusal::no_port;
    }
    in.whole.trim_front(in.header + udp_field::size);
    best->put({std::move(in.whole), from, in.destination, number});
    return std::nullopt;
}

void udp_layer::failed(const ip_error& about) {
    const std::uint16_t own = load16(about.transport, udp_field::source_port);
    const endpoint remote{about.destination, load16(about.transport, udp_field::destination_port)};
    for (udp_socket::state* one = sockets_[own % buckets]; one != nullptr; one = one->next) {
        if (one->own.port != own || (one->is_bound() && one->own.address != about.source) ||
            (one->remote && *one->remote != remote))
            continue;
        // A datagram that is too big was lost, and the next goes in fragments: no error of the socket's, unless it
        // does not want fragments.
        if (about.problem == ip_problem::too_big && one->own.may_be_fragmented)
            continue;
        one->failure = udp_error{error_code_of(about.problem), remote, about.mtu};
        ++stack_.counters().udp.errors;
        if (one->remote)
            fiber::this_scheduler().signal_all(one->waiting);
    }
}

result<void> udp_layer::send_through(const path& way, const ip_sending& how, std::uint16_t from, std::uint16_t to,
                                     packet payload) {
    constexpr const char* attempted = "send a UDP datagram";
    const std::size_t size = payload.size();
    const std::size_t all = size + udp_field::size;
    if (all > udp_field::greatest_datagram)
        return network_failure(std::errc::message_size, attempted);
    if (to == 0)
        return network_failure(std::errc::destination_address_required, attempted);
    const nic_offloads& device = way.via->info().transmit;
    const bool left_to_device =
        (way.destination.is_v4() ? device.checksum_ipv4 : device.checksum_ipv6) && all + ipv4_field::size <= way.mtu;
    const checksum sum = left_to_device ? checksum{} : sum_from(payload, 0);
    const auto room = payload.prepend(udp_field::size);
    if (!room)
        return failure(room.error());
    packet_metadata& about = payload.metadata();
    about = {};
    const udp_header header{from, to};
    if (left_to_device) {
        header.write_for_device(*room, way.source, way.destination, size);
        about.checksum = packet_checksum::blank;
        about.checksum_at = udp_field::checksum;
    } else {
        header.write(*room, way.source, way.destination, sum);
    }
    auto sent = stack_.send(way, how, std::move(payload));
    if (sent)
        ++stack_.counters().udp.sent;
    return sent;
}

udp_socket::udp_socket(std::unique_ptr<state> own) noexcept : state_{std::move(own)} {}
udp_socket::udp_socket(udp_socket&&) noexcept = default;
udp_socket& udp_socket::operator=(udp_socket&& other) noexcept {
    udp_socket old{std::move(other)};
    state_.swap(old.state_);
    return *this;
}

udp_socket::~udp_socket() {
    if (!state_)
        return;
    udp_layer& layer = state_->layer;
    state** at = &layer.sockets_[state_->own.port % udp_layer::buckets];
    while (*at != state_.get())
        at = &(*at)->next;
    *at = state_->next;
    --layer.count_;
    layer.queued_ -= state_->count;
}

endpoint udp_socket::local() const noexcept {
    return {state_->is_bound() || !state_->remote ? state_->own.address : state_->chosen, state_->own.port};
}

std::optional<endpoint> udp_socket::remote() const noexcept { return state_->remote; }

result<void> udp_socket::connect(const endpoint& remote) {
    if (remote.port == 0)
        return network_failure(std::errc::destination_address_required, "connect a UDP socket");
    const auto way = find_path(remote, {});
    if (!way)
        return failure(way.error());
    state_->remote = remote;
    state_->chosen = way->source;
    state_->failure.reset();
    while (state_->count != 0)
        state_->take();
    return {};
}

void udp_socket::disconnect() noexcept {
    state_->remote.reset();
    state_->failure.reset();
}

std::optional<datagram> udp_socket::try_receive() noexcept {
    return state_->count != 0 ? std::optional{state_->take()} : std::nullopt;
}

result<std::size_t> udp_socket::receive_from(std::span<datagram> into, const fiber::wait_limit& limit) {
    constexpr const char* attempted = "receive a UDP datagram";
    Expects(!into.empty());
    state& own = *state_;
    while (own.count == 0) {
        if (own.remote && own.failure)
            return failure(error{std::exchange(own.failure, std::nullopt)->code, attempted});
        const fiber::wake how = fiber::this_scheduler().wait(own.waiting, limit);
        if (how != fiber::wake::signalled && own.count == 0)
            return fiber::detail::gave_up(how, attempted);
    }
    std::size_t taken = 0;
    while (taken != into.size() && own.count != 0)
        into[taken++] = own.take();
    // Several may have come for several who wait, and one signal each: what is left is somebody's.
    return taken;
}

result<datagram> udp_socket::receive_from(const fiber::wait_limit& limit) {
    datagram one;
    const auto count = receive_from({&one, 1}, limit);
    if (!count)
        return failure(count.error());
    return one;
}

result<std::size_t> udp_socket::receive_from(bytes into, endpoint& from, const fiber::wait_limit& limit) {
    const auto one = receive_from(limit);
    if (!one)
        return failure(one.error());
    one->payload.copy_out(0, into.first(std::min(into.size(), one->payload.size())));
    from = one->remote;
    return one->payload.size();
}

result<path> udp_socket::find_path(const endpoint& to, const ip_address& from) {
    state& own = *state_;
    stack& in = own.layer.stack_;
    const ip_address& source = !from.is_unspecified() ? from : own.own.address;
    if (own.found_at == in.generation() && own.way->destination == to.address && own.asked_from == source)
        return *own.way;
    const std::uint64_t now = in.generation();
    auto way = in.find_path(to.address, source, own.own.via);
    if (!way)
        return way;
    if (way->cast != ip_cast::unicast && !own.own.broadcast)
        return network_failure(std::errc::permission_denied, "send to more than one host");
    own.way = *way;
    own.asked_from = source;
    own.found_at = now;
    return way;
}

result<packet> udp_socket::allocate(const endpoint& to, std::size_t size) {
    const auto way = find_path(to, {});
    if (!way)
        return failure(way.error());
    return way->via->allocate(size);
}

result<void> udp_socket::send_one(packet& data, const endpoint& to, const ip_address& from,
                                  const fiber::wait_limit& limit) {
    state& own = *state_;
    if (own.remote && own.failure)
        return failure(error{std::exchange(own.failure, std::nullopt)->code, "send a UDP datagram"});
    const auto way = find_path(to, from);
    if (!way)
        return failure(way.error());
    if (auto room = way->via->wait_for_room(limit); !room)
        return room;
    const ip_sending how{.protocol = ip_protocol::udp,
                         .ttl = own.own.ttl,
                         .traffic_class = own.own.traffic_class,
                         .may_be_fragmented = own.own.may_be_fragmented};
    return own.layer.send_through(*way, how, own.own.port, to.port, std::move(data));
}

result<void> udp_socket::send_to(packet data, const endpoint& to, const fiber::wait_limit& limit) {
    return send_one(data, to, {}, limit);
}

result<void> udp_socket::send_to(const_bytes data, const endpoint& to, const fiber::wait_limit& limit) {
    if (data.size() > udp_field::greatest_datagram - udp_field::size)
        return network_failure(std::errc::message_size, "send a UDP datagram");
    auto made = allocate(to, data.size());
    if (!made)
        return failure(made.error());
    made->copy_in(0, data);
    return send_one(*made, to, {}, limit);
}

result<void> udp_socket::send(const_bytes data, const fiber::wait_limit& limit) {
    if (!state_->remote)
        return network_failure(std::errc::destination_address_required, "send a UDP datagram");
    return send_to(data, *state_->remote, limit);
}

result<std::size_t> udp_socket::send_to(std::span<datagram> data, const fiber::wait_limit& limit) {
    std::size_t sent = 0;
    while (sent != data.size()) {
        interface* full = nullptr;
        {
            const stack::batch together{state_->layer.stack_};
            for (; sent != data.size() && full == nullptr; ++sent) {
                datagram& one = data[sent];
                const endpoint to = state_->remote.value_or(one.remote);
                const auto way = find_path(to, one.local);
                if (way && !way->via->has_room()) {
                    full = way->via;
                    break;
                }
                if (const auto done = send_one(one.payload, to, one.local, limit); !done)
                    return sent != 0 ? result<std::size_t>{sent} : failure(done.error());
            }
        }
        // The queue moves only when the batch has ended.
        if (full != nullptr)
            if (const auto room = full->wait_for_room(limit); !room)
                return sent != 0 ? result<std::size_t>{sent} : failure(room.error());
    }
    return sent;
}

std::optional<udp_error> udp_socket::take_error() noexcept { return std::exchange(state_->failure, std::nullopt); }

std::uint64_t udp_socket::dropped() const noexcept { return state_->dropped; }

}  // namespace halvm::net
