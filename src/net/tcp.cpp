// SPDX-License-Identifier: BSD-3-Clause
// Fibers that wait for TCP, and TCP's way to the network below it.
#include <halvm/net/tcp.hpp>

#include <halvm/net/offload.hpp>

#include <algorithm>
#include <mutex>

namespace halvm::net {

using namespace wire;

namespace {

/// Of a link that carries anything, as a segment is made of packets of a fixed size.
constexpr std::uint32_t greatest_mtu = 9000, loopback_mtu = 1500;
constexpr std::size_t known_paths = 64;

failure tcp_failure(std::errc code, const char* attempted, const endpoint& about) noexcept {
    return failure{error{std::make_error_code(code), attempted, about.to_text().view()}};
}
failure gave_up(fiber::wake how, const char* attempted, const endpoint& about) noexcept {
    return tcp_failure(how == fiber::wake::timed_out ? std::errc::timed_out : std::errc::operation_canceled, attempted,
                       about);
}
std::uint32_t headers_of(const ip_address& address) noexcept {
    constexpr std::uint32_t ipv6_header = 40;
    return static_cast<std::uint32_t>((address.is_v4() ? ipv4_field::size : ipv6_header) + tcp_field::size);
}

}  // namespace

/// Stays where it is while the connection is moved.
struct tcp_connection::state final : tcp::observer {
    state(tcp_layer& in, tcp::connection& one) noexcept : layer{in}, core{one} { core.watch(this); }
    ~state() {
        const stack::batch together{layer.stack_};
        core.watch(nullptr);
        layer.engine_.release(core);
    }
    void changed() noexcept override {
        fiber::scheduler& all = fiber::this_scheduler();
        if (!readers.empty() && is_readable())
            all.signal_all(readers);
        if (!writers.empty())
            all.signal_all(writers);
    }
    [[nodiscard]] bool is_readable() const noexcept {
        return core.readable() != 0 || core.is_at_end() || (!core.is_open() && !core.is_connecting());
    }
    [[nodiscard]] std::errc why() const noexcept {
        return core.failure() != std::errc{} ? core.failure() : std::errc::broken_pipe;
    }

    tcp_layer& layer;
    tcp::connection& core;
    fiber::wait_queue readers{"bytes from a TCP connection", true};
    fiber::wait_queue writers{"room in a TCP connection", true};
    fiber::mutex writing;
};

tcp_connection::tcp_connection(std::unique_ptr<state> own) noexcept : state_{std::move(own)} {}
tcp_connection::tcp_connection(tcp_connection&&) noexcept = default;
tcp_connection& tcp_connection::operator=(tcp_connection&&) noexcept = default;
tcp_connection::~tcp_connection() = default;

const endpoint& tcp_connection::local() const noexcept { return state_->core.ends().local; }
const endpoint& tcp_connection::remote() const noexcept { return state_->core.ends().remote; }
const tcp::connection& tcp_connection::details() const noexcept { return state_->core; }
bool tcp_connection::readable() const noexcept { return state_->is_readable(); }
bool tcp_connection::writable() const noexcept { return !state_->core.can_send() || state_->core.room() != 0; }
fiber::wait_queue& tcp_connection::readers() noexcept { return state_->readers; }
fiber::wait_queue& tcp_connection::writers() noexcept { return state_->writers; }

result<std::size_t> tcp_connection::read(bytes into, const fiber::wait_limit& limit) {
    constexpr const char* attempted = "read by TCP from";
    state& own = *state_;
    if (into.empty())
        return 0;
    for (;;) {
        {
            const stack::batch together{own.layer.stack_};
            if (const std::size_t count = own.core.read(into); count != 0)
                return count;
        }
        if (own.core.is_at_end())
            return 0;
        if (!own.core.is_open())
            return tcp_failure(own.why(), attempted, remote());
        const fiber::wake how = fiber::this_scheduler().wait(own.readers, limit);
        if (how != fiber::wake::signalled && !own.is_readable())
            return gave_up(how, attempted, remote());
    }
}

result<void> tcp_connection::write_some(const_bytes data, const fiber::wait_limit& limit) {
    constexpr const char* attempted = "write by TCP to";
    state& own = *state_;
    while (!data.empty()) {
        if (!own.core.can_send())
            return tcp_failure(own.why(), attempted, remote());
        std::size_t count = 0;
        {
            const stack::batch together{own.layer.stack_};
            count = own.core.write(data);
        }
        data = data.subspan(count);
        if (count != 0)
            continue;
        if (own.core.is_drained())
            return tcp_failure(std::errc::not_enough_memory, attempted, remote());
        const fiber::wake how = fiber::this_scheduler().wait(own.writers, limit);
        if (how != fiber::wake::signalled && own.core.room() == 0 && own.core.can_send())
            return gave_up(how, attempted, remote());
    }
    return {};
}

result<void> tcp_connection::write_pieces(std::span<const const_bytes> data, const fiber::wait_limit& limit) {
    state& own = *state_;
    if (!own.core.can_send())
        return tcp_failure(own.why(), "write by TCP to", remote());
    if (!own.writing.lock(limit))
        return gave_up(limit.stop.stop_requested() ? fiber::wake::stopped : fiber::wake::timed_out, "write by TCP to",
                       remote());
    const std::unique_lock held{own.writing, std::adopt_lock};
    for (const const_bytes piece : data)
        if (auto done = write_some(piece, limit); !done)
            return done;
    return {};
}

result<void> tcp_connection::write(const_bytes data, const fiber::wait_limit& limit) {
    return write_pieces({&data, 1}, limit);
}

result<void> tcp_connection::shutdown() {
    const stack::batch together{state_->layer.stack_};
    state_->core.shutdown();
    fiber::this_scheduler().signal_all(state_->writers);
    return {};
}

result<void> tcp_connection::close(const fiber::wait_limit& limit) {
    state& own = *state_;
    if (auto ended = shutdown(); !ended)
        return ended;
    while (own.core.is_open() && !own.core.is_drained()) {
        const fiber::wake how = fiber::this_scheduler().wait(own.writers, limit);
        if (how != fiber::wake::signalled && own.core.is_open() && !own.core.is_drained())
            return gave_up(how, "close a TCP connection with", remote());
    }
    if (own.core.failure() != std::errc{})
        return tcp_failure(own.core.failure(), "close a TCP connection with", remote());
    return {};
}

void tcp_connection::abort() noexcept {
    const stack::batch together{state_->layer.stack_};
    state_->core.abort();
}

void tcp_connection::set_no_delay(bool on) {
    const stack::batch together{state_->layer.stack_};
    state_->core.set_no_delay(on);
}

struct tcp_listener::state final : tcp::observer {
    state(tcp_layer& in, tcp::listener& one) noexcept : layer{in}, core{&one}, local{one.local()} { one.watch(this); }
    ~state() { close(); }
    void changed() noexcept override { fiber::this_scheduler().signal(acceptors); }
    void close() noexcept {
        if (core == nullptr)
            return;
        const stack::batch together{layer.stack_};
        layer.engine_.release(*std::exchange(core, nullptr));
        fiber::this_scheduler().signal_all(acceptors);
    }

    tcp_layer& layer;
    tcp::listener* core;
    endpoint local;
    fiber::wait_queue acceptors{"a TCP connection", true};
};

tcp_listener::tcp_listener(std::unique_ptr<state> own) noexcept : state_{std::move(own)} {}
tcp_listener::tcp_listener(tcp_listener&&) noexcept = default;
tcp_listener& tcp_listener::operator=(tcp_listener&&) noexcept = default;
tcp_listener::~tcp_listener() = default;

const endpoint& tcp_listener::local() const noexcept { return state_->local; }
bool tcp_listener::ready() const noexcept { return state_->core == nullptr || state_->core->waiting() != 0; }
fiber::wait_queue& tcp_listener::acceptors() noexcept { return state_->acceptors; }
void tcp_listener::close() noexcept { state_->close(); }

result<tcp_connection> tcp_listener::accept(const fiber::wait_limit& limit) {
    constexpr const char* attempted = "accept a TCP connection at";
    state& own = *state_;
    for (;;) {
        if (own.core == nullptr)
            return tcp_failure(std::errc::broken_pipe, attempted, own.local);
        if (tcp::connection* const one = own.core->accept()) {
            // Several may have come for several who wait, and not all of the signals found one.
            if (own.core->waiting() != 0)
                fiber::this_scheduler().signal(own.acceptors);
            return tcp_connection{std::make_unique<tcp_connection::state>(own.layer, *one)};
        }
        const fiber::wake how = fiber::this_scheduler().wait(own.acceptors, limit);
        if (how != fiber::wake::signalled && !ready())
            return gave_up(how, attempted, own.local);
    }
}

tcp_layer& stack::tcp() { return service<tcp_layer>(); }

tcp_layer::tcp_layer(stack& own)
    : stack_{own}, paths_{known_paths}, engine_{own.limits().tcp, *this, own.counters().tcp} {
    own.attach(ip_protocol::tcp, *this);
}

tcp_layer::~tcp_layer() { stack_.alarms().cancel(alarm_); }

void tcp_layer::deadline_changed() noexcept { stack_.alarms().set(alarm_, engine_.deadline()); }

void tcp_layer::ring() noexcept {
    engine_.advance();
    if (const fiber::instant next = engine_.deadline(); next != fiber::never)
        stack_.alarms().set(alarm_, next);
    batch_ended();
}

result<void> tcp_layer::drain(const fiber::wait_limit& limit) {
    while (!engine_.is_drained()) {
        const fiber::wake how = fiber::this_scheduler().wait(draining_, limit);
        if (how != fiber::wake::signalled && !engine_.is_drained())
            return fiber::detail::gave_up(how, "drain TCP connections");
    }
    return {};
}

result<tcp_listener> tcp_layer::listen(const tcp_listening& what) {
    endpoint local{what.address, what.port};
    if (!local.address.is_unspecified() && !stack_.is_ours(local.address))
        return tcp_failure(std::errc::address_not_available, "listen by TCP at", local);
    const std::size_t backlog = what.backlog != 0 ? what.backlog : stack_.limits().tcp.backlog;
    constexpr std::uint16_t first = 49152, count = 65535 - first + 1;  // [rfc6335 6]
    const std::uint32_t begin = stack_.random().below(count);
    for (std::uint32_t tried = 0;; ++tried) {
        if (what.port == 0)
            local.port = static_cast<std::uint16_t>(first + (begin + tried) % count);
        auto made = engine_.listen(local, what.options, backlog);
        if (made)
            return tcp_listener{std::make_unique<tcp_listener::state>(*this, **made)};
        if (what.port != 0 || tried == count)
            return failure(made.error());
    }
}

result<tcp_connection> tcp_layer::connect(const endpoint& remote, const fiber::wait_limit& limit,
                                          const tcp::connection_options& options, const endpoint& from) {
    constexpr const char* attempted = "connect by TCP to";
    if (remote.port == 0)
        return tcp_failure(std::errc::destination_address_required, attempted, remote);
    if (!from.address.is_unspecified() && !stack_.is_ours(from.address))
        return tcp_failure(std::errc::address_not_available, "connect by TCP from", from);
    const auto way = stack_.find_path(remote.address, from.address);
    if (!way)
        return failure(error{way.error().code(), attempted, remote.to_text().view()});
    if (way->cast != ip_cast::unicast)
        return tcp_failure(std::errc::address_not_available, attempted, remote);
    std::unique_ptr<tcp_connection::state> made;
    {
        const stack::batch together{stack_};
        const auto begun = engine_.connect({{way->source, from.port}, remote}, options);
        if (!begun)
            return failure(begun.error());
        made = std::make_unique<tcp_connection::state>(*this, **begun);
    }
    tcp::connection& core = made->core;
    while (core.is_connecting()) {
        const fiber::wake how = fiber::this_scheduler().wait(made->writers, limit);
        if (how != fiber::wake::signalled && core.is_connecting())
            return gave_up(how, attempted, remote);
    }
    if (!core.is_open() && core.failure() != std::errc{})
        return tcp_failure(core.failure(), attempted, remote);
    return tcp_connection{std::move(made)};
}

result<path> tcp_layer::find_path(const tcp::flow& way) {
    const path_name name{way.local.address, way.remote.address};
    known_path* known = paths_.find(name);
    if (known != nullptr && known->found_at == stack_.generation())
        return known->way;
    const std::uint64_t asked_at = stack_.generation();
    auto found = stack_.find_path(way.remote.address, way.local.address);
    if (!found)
        return found;
    if (known == nullptr) {
        if (paths_.full())
            paths_.erase(paths_.least_recent());
        known = &paths_.insert(name);
    }
    paths_.touch(*known);
    known->way = *found;
    known->found_at = asked_at;
    return found;
}

result<tcp::segment_sizes> tcp_layer::sizes(const tcp::flow& way) noexcept {
    const auto found = find_path(way);
    if (!found)
        return failure(found.error());
    const std::uint32_t most = found->via->is_loopback() ? loopback_mtu : greatest_mtu;
    const std::uint32_t headers = headers_of(way.remote.address);
    return tcp::segment_sizes{.send = static_cast<std::uint16_t>(std::min(found->mtu, most) - headers),
                              .receive = static_cast<std::uint16_t>(std::min(found->via->mtu(), most) - headers)};
}

std::uint32_t tcp_layer::longest(const tcp::connection& of) noexcept {
    // Frames that wait hold memory, and the time to choose what is in them is when they go.
    constexpr std::size_t most_frames_waiting = 32;
    const auto found = find_path(of.ends());
    if (!found)
        return 1;
    interface& via = *found->via;
    if (via.waiting_frames() >= most_frames_waiting) {
        stack_.want_room();
        return 0;
    }
    const nic_offloads& device = via.info().transmit;
    const std::uint32_t frame = of.ends().remote.address.is_v4() ? device.longest_tcp_ipv4 : device.longest_tcp_ipv6;
    constexpr std::uint32_t longest_datagram = 65535;
    const auto link = static_cast<std::uint32_t>(ethernet_field::size);
    const std::uint32_t headers = link + headers_of(of.ends().remote.address) + tcp_field::greatest_options;
    return std::max<std::uint32_t>(std::min(frame, longest_datagram + link), headers + 1) - headers;
}

void tcp_layer::send(const tcp::flow& way, const tcp::outgoing& what, tcp::connection* of) noexcept {
    const auto found = find_path(way);
    if (!found)
        return;
    interface& via = *found->via;
    const std::size_t header_size = what.header.size();
    auto made = via.allocate(header_size + what.size);
    if (!made || made->front().size() < header_size) {
        ++stack_.counters().tcp.no_memory;
        return;
    }
    packet& whole = *made;
    std::size_t at = header_size;
    if (what.size != 0)
        what.from->for_each(what.at, what.size, [&](const_bytes run) {
            whole.copy_in(at, run);
            at += run.size();
        });
    packet_metadata& about = whole.metadata();
    about = {};
    const nic_offloads& device = via.info().transmit;
    if (way.remote.address.is_v4() ? device.checksum_ipv4 : device.checksum_ipv6) {
        what.header.write_for_device(whole.front(), way.local.address, way.remote.address, what.size);
        about.checksum = packet_checksum::blank;
        about.checksum_at = tcp_field::checksum;
        if (what.size > what.segment_size) {
            about.segmentation =
                way.remote.address.is_v4() ? packet_segmentation::tcp_ipv4 : packet_segmentation::tcp_ipv6;
            about.segment_size = what.segment_size;
            about.header_length = static_cast<std::uint16_t>(header_size);
        }
    } else {
        what.header.write(whole.front(), way.local.address, way.remote.address, sum_from(whole, header_size));
    }
    ip_sending how{.protocol = ip_protocol::tcp, .may_be_fragmented = false};
    if (of != nullptr) {
        how.ttl = of->options().ttl;
        how.traffic_class = of->options().traffic_class;
    }
    // What is lost here is lost as it would be anywhere on its way.
    static_cast<void>(stack_.send(*found, how, std::move(whole)));
}

std::optional<ip_refusal> tcp_layer::receive(ip_datagram& in) {
    tcp_statistics& counted = stack_.counters().tcp;
    // [rfc9293 3.10.7, MUST-57]
    if (in.cast != ip_cast::unicast || in.link_group) {
        ++counted.not_unicast;
        return std::nullopt;
    }
    const std::size_t most = std::min(in.whole.size(), in.header + tcp_field::size + tcp_field::greatest_options);
    const auto front = in.whole.linearize(most);
    const auto view = front ? tcp_view::parse(front->subspan(in.header)) : failure(front.error());
    if (!view || view->source_port() == 0 || view->destination_port() == 0) {
        ++counted.bad_segment;
        return std::nullopt;
    }
    if (in.whole.metadata().checksum == packet_checksum::present) {
        checksum sum = checksum::pseudo_header(in.source, in.destination, ip_protocol::tcp, in.payload_size());
        sum.add(sum_from(in.whole, in.header));
        if (!sum.is_right()) {
            ++counted.bad_checksum;
            return std::nullopt;
        }
    }
    const std::size_t header_size = front->size() - in.header - view->payload().size();
    const tcp::flow way{{in.destination, view->destination_port()}, {in.source, view->source_port()}};
    engine_.receive(way, header_of(*view), tcp::payload_view{in.whole, in.header + header_size});
    return std::nullopt;
}

void tcp_layer::failed(const ip_error& about) {
    const tcp::flow way{{about.source, load16(about.transport, tcp_field::source_port)},
                        {about.destination, load16(about.transport, tcp_field::destination_port)}};
    const tcp_sequence quoted{load32(about.transport, tcp_field::sequence)};
    if (about.problem == ip_problem::too_big)
        return engine_.path_narrowed(way, quoted);
    const bool is_hard =
        about.problem == ip_problem::port_unreachable || about.problem == ip_problem::protocol_unreachable;
    engine_.unreachable(way, quoted, static_cast<std::errc>(error_code_of(about.problem).value()), is_hard);
}

}  // namespace halvm::net
