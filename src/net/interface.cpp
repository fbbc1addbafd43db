// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/net/interface.hpp>

#include <halvm/net/stack.hpp>

#include <algorithm>
#include <array>
#include <limits>

namespace halvm::net {
namespace {

constexpr std::size_t batch_size = 32;

}  // namespace

interface::interface(stack& own, std::uint16_t number, std::unique_ptr<nic_port> port)
    : stack_{own}, number_{number}, port_{std::move(port)}, addresses_{own.limits().addresses} {
    if (is_loopback()) {
        info_.mtu = 65535;
        info_.most_pieces = std::numeric_limits<std::uint32_t>::max();
        info_.transmit.checksum_ipv4 = info_.transmit.checksum_ipv6 = true;
        info_.receive = info_.transmit;
    } else {
        info_ = port_->info();
        room_for_ = own.limits().transmit_queue;
        queue_.reset(new packet[room_for_]);
    }
}

interface::~interface() {
    stop();
}

void interface::start() {
    receiver_ = stack::spawn(
        "network receiver",
        [](void* of, const std::stop_token& stop) { static_cast<interface*>(of)->receive_frames(stop); }, this);
    transmitter_ = stack::spawn(
        "network transmitter",
        [](void* of, const std::stop_token& stop) { static_cast<interface*>(of)->transmit_frames(stop); }, this);
}

void interface::stop() noexcept {
    receiver_ = {};
    transmitter_ = {};
}

nic_statistics interface::statistics() const noexcept { return port_ ? port_->statistics() : nic_statistics{}; }

address_role interface::role_of(ipv4_address address) const noexcept {
    auto role = address_role::foreign;
    if (is_loopback())
        return has(address) ? address_role::own : role;
    if (address.is_broadcast())
        return address_role::broadcast;
    for (const interface_address& one : addresses_) {
        if (!one.address().is_v4())
            continue;
        const std::uint32_t own = one.address().v4().bits();
        if (own == address.bits())
            role = address_role::own;
        // A network of two addresses has none to spare; another's own one is an old form of the same.
        // [rfc3021 2.1] [rfc1122 3.3.6]
        const unsigned length = one.network().length();
        const std::uint32_t hosts = length > 30 ? 0 : 0xffff'ffffu >> length;
        const std::uint32_t network = own & ~hosts;
        if (hosts != 0 && (address.bits() == network || address.bits() == (network | hosts)))
            return address_role::broadcast;
    }
    return role;
}

bool interface::has(const ip_address& address) const noexcept {
    for (const interface_address& one : addresses_)
        if (one.address() == address)
            return true;
    return false;
}

std::optional<ip_address> interface::source_for(const ip_address& next_hop) const noexcept {
    const interface_address* found = nullptr;
    for (const interface_address& one : addresses_) {
        if (one.address().family() != next_hop.family())
            continue;
        if (one.network().contains(next_hop))
            return one.address();
        if (found == nullptr)
            found = &one;
    }
    return found != nullptr ? std::optional{found->address()} : std::nullopt;
}

void interface::limit_mtu(std::uint32_t most) noexcept {
    mtu_limit_ = most;
    stack_.changed();
}

result<packet> interface::allocate(std::size_t size) {
    return is_loopback() ? stack_.allocate_own(size) : port_->allocate(size);
}

void interface::send(packet payload, const mac_address& destination, wire::ethertype type) {
    link_statistics& counted = stack_.counters().link;
    if (!is_up()) {
        ++counted.no_link;
        return;
    }
    if (end_ == room_for_ && first_ != 0) {
        std::move(&queue_[first_], queue_.get() + end_, queue_.get());
        end_ -= first_;
        first_ = 0;
    }
    if (end_ == room_for_) {
        ++counted.queue_full;
        return;
    }
    const auto header = payload.prepend(wire::ethernet_header::size());
    if (!header) {
        ++stack_.counters().ip.no_memory;
        return;
    }
    wire::ethernet_header{destination, info_.mac, type}.write(*header);
    queue_[end_++] = std::move(payload);
    const stack::batch now{stack_};
}

bool interface::has_room() const noexcept { return end_ - first_ < room_for_ || is_loopback() || !is_up(); }

result<void> interface::wait_for_room(const fiber::wait_limit& limit) {
    while (!has_room()) {
        const fiber::wake how = fiber::this_scheduler().wait(room_, limit);
        if (how != fiber::wake::signalled)
            return fiber::detail::gave_up(how, "send through a network interface");
    }
    return {};
}

void interface::flush() {
    if (first_ == end_)
        return;
    if (!draining_ && is_up()) {
        const std::size_t taken = port_->try_transmit({&queue_[first_], end_ - first_});
        first_ += taken;
        stack_.counters().link.transmitted += taken;
        if (first_ == end_) {
            first_ = end_ = 0;
            fiber::this_scheduler().signal_all(room_);
            return;
        }
    }
    fiber::this_scheduler().signal(backlog_);
}

void interface::transmit_frames(const std::stop_token& stop) {
    std::array<packet, batch_size> frames;
    for (;;) {
        while (first_ == end_)
            if (fiber::this_scheduler().wait(backlog_, fiber::wait_limit{stop}) == fiber::wake::stopped)
                return;
        const std::size_t count = std::min(end_ - first_, frames.size());
        std::move(&queue_[first_], queue_.get() + first_ + count, frames.begin());
        first_ += count;
        if (first_ == end_)
            first_ = end_ = 0;
        draining_ = true;
        fiber::this_scheduler().signal_all(room_);
        if (first_ == end_ && std::exchange(stack_.room_wanted_, false))
            stack_.make_room();
        const auto sent = port_->transmit(std::span{frames}.first(count), stop);
        draining_ = false;
        if (!sent) {
            if (!stop.stop_requested())
                fail(sent.error());
            return;
        }
        stack_.counters().link.transmitted += count;
    }
}

void interface::receive_frames(const std::stop_token& stop) {
    std::array<packet, batch_size> frames;
    for (;;) {
        const auto count = port_->receive(frames, stop);
        if (!count) {
            if (!stop.stop_requested())
                fail(count.error());
            return;
        }
        if (*count == 0) {
            refresh();
            continue;
        }
        may_have_more_ = *count == frames.size();
        link_statistics& counted = stack_.counters().link;
        counted.received += *count;
        ++counted.batches;
        {
            const stack::batch answers{stack_};
            for (packet& frame : std::span{frames}.first(*count))
                stack_.input(*this, std::move(frame));
            stack_.end_batch();
        }
        // Frames may be there again at once, for as long as somebody likes to send them: others run meanwhile.
        fiber::yield();
    }
}

void interface::refresh() {
    const bool was_up = is_up();
    info_ = port_->info();
    stack_.changed();
    if (!is_up()) {
        fiber::this_scheduler().signal_all(room_);
        return;
    }
    if (was_up)
        return;
    // Whoever is on the link now may know these addresses at another place. [rfc5227 2.3]
    stack_.neighbours().forget(*this);
    for (const interface_address& one : addresses_)
        if (one.address().is_v4())
            stack_.arp().announce(*this, one.address().v4());
}

void interface::fail(const error& why) {
    failed_ = why;
    for (; first_ != end_; ++first_)
        queue_[first_] = {};
    first_ = end_ = 0;
    stack_.changed();
    fiber::this_scheduler().signal_all(room_);
}

}  // namespace halvm::net
