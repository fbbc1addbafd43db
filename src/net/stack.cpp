// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/net/stack.hpp>

namespace halvm::net {

bool stack::is_ours(const ip_address& address) const noexcept {
    if (address.is_loopback())
        return true;
    for (const auto& one : interfaces_)
        if (one->has(address))
            return true;
    return false;
}

result<void> stack::send(const path& way, const ip_sending& how, packet payload) {
    return layers_[static_cast<std::size_t>(way.destination.family())]->send(way, how, std::move(payload));
}

ip_protocol_handler* stack::handler_of(ip_protocol protocol) const noexcept {
    for (const auto& [number, handler] : protocols_)
        if (number == protocol)
            return handler;
    return nullptr;
}

void stack::input(interface& in, packet frame) {
    const auto front = frame.size() < wire::ethernet_field::size ? result<const_bytes>{const_bytes{}}
                                                                 : frame.linearize(wire::ethernet_field::size);
    const auto header = front ? wire::ethernet_view::parse(*front) : failure(front.error());
    if (!header || !header->source().is_unicast()) {
        ++statistics_.link.bad_frame;
        return;
    }
    const mac_address to = header->destination();
    // Groups that nobody here is in are told apart by their IP address.
    if (to != in.info().mac && !to.is_multicast()) {
        ++statistics_.link.for_others;
        return;
    }
    for (const auto& [type, handler] : link_protocols_) {
        if (type != header->type())
            continue;
        const frame_origin from{in, header->source(), to.is_multicast()};
        frame.metadata().interface = in.number();
        frame.trim_front(wire::ethernet_field::size);
        handler->receive(from, std::move(frame));
        return;
    }
    ++statistics_.link.unknown_protocol;
}

void stack::end_batch() {
    for (const auto& [number, handler] : protocols_)
        handler->batch_ended();
}

void stack::make_room() {
    const batch together{*this};
    for (const auto& [number, handler] : protocols_)
        handler->room_made();
}

void stack::flush() {
    for (;;) {
        bool is_room = true;
        for (std::size_t i = 1; i < interfaces_.size(); ++i) {
            interfaces_[i]->flush();
            is_room = is_room && interfaces_[i]->waiting_frames() == 0;
        }
        // What a NIC has not taken it takes later, in another fiber.
        if (!is_room || !std::exchange(room_wanted_, false))
            break;
        ++batches_;
        for (const auto& [number, handler] : protocols_)
            handler->room_made();
        --batches_;
    }
    if (!looped_.empty())
        alarms_.wake();
}

void stack::loop(packet whole) {
    if (looped_.full()) {
        ++statistics_.link.queue_full;
        return;
    }
    looped_.push_back(std::move(whole));
    const batch now{*this};
}

void stack::let_others_read() {
    // From the device's signal to the frames it is two fibers' turns.
    constexpr unsigned least_turns = 2, most_turns = 16;
    for (unsigned turn = 0; turn != most_turns; ++turn) {
        if (turn >= least_turns &&
            std::none_of(interfaces_.begin(), interfaces_.end(), [](const auto& one) { return one->may_have_more(); }))
            return;
        fiber::yield();
    }
}

void stack::run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        // After a time in which nobody could run, what is due may have been answered by what nobody has read yet.
        if (alarms_.is_due())
            let_others_read();
        {
            const batch together{*this};
            alarms_.ring();
            looping_.swap(looped_);
            for (packet& one : looping_) {
                // Each family's packets say in their first bits which it is.
                const bool is_v6 = static_cast<unsigned>(one.front()[0]) >> 4 == 6;
                if (ip_layer* const layer = layers_[is_v6 ? 1 : 0])
                    layer->receive_own(std::move(one));
            }
            looping_.clear();
            end_batch();
        }
        if (looped_.empty())
            alarms_.wait(stop);
        else
            fiber::yield();
    }
}

}  // namespace halvm::net
