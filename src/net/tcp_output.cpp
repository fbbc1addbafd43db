// SPDX-License-Identifier: BSD-3-Clause
// What a connection sends, and when.
#include <halvm/net/tcp/connection.hpp>

#include <halvm/net/tcp/engine.hpp>

#include <algorithm>

namespace halvm::net::tcp {

std::uint32_t connection::stamp_now() const noexcept {
    return static_cast<std::uint32_t>(now_is() / 1'000'000) + stamp_offset_;
}

void connection::output() {
    if (!may_send_data())
        return;
    if (next_ == una_ && recovery_.now() == recovery::phase::open && queued_ != 0 &&
        now_is() - sent_at_ > rtt_.timeout(engine_.how()))
        congestion_.apply([this](auto& control) { control.on_idle(now_is()); });
    used_up_ = false;
    while (send_next()) {}
    if (acknowledge_now_)
        send_acknowledgment();
    arm_retransmission();
    arm();
}

std::uint16_t connection::segment_room() const noexcept {
    // What is reported stands in the same segment.
    const bool reports = selective_ && (received_.has_gap() || has_duplicate_);
    return static_cast<std::uint16_t>(mss_ - (!reports ? 0 : stamped_ ? 28 : 36));
}

bool connection::send_next() {
    if (probing_)
        return false;
    const std::uint16_t mss = segment_room();
    const std::uint32_t window = congestion_.window();
    const std::uint32_t pipe = recovery_.pipe(una_, next_);
    if (const auto lost = recovery_.next_loss(una_, next_, mss)) {
        const auto size = static_cast<std::uint32_t>(lost->end - lost->begin);
        if (!recovery_.is_urgent() && pipe != 0 && pipe + size > window) {
            used_up_ = true;
            return false;
        }
        send_range(*lost, true);
        return true;
    }
    if (send_new())
        return true;
    if (const auto chance = recovery_.last_chance(una_, next_, mss); chance && pipe + mss <= window) {
        send_range(*chance, true);
        return true;
    }
    return false;
}

bool connection::send_new() {
    const tcp_sequence end = data_end();
    const auto unsent = next_ < end ? static_cast<std::uint32_t>(end - next_) : 0;
    const bool has_fin = fin_wanted_ && next_ <= end;
    if (unsent == 0 && !has_fin)
        return false;
    const tcp_sequence window_end = una_ + send_window_;
    const auto usable = next_ < window_end ? static_cast<std::uint32_t>(window_end - next_) : 0;
    if (usable == 0)
        return false;
    std::uint32_t size = std::min(unsent, usable);
    if (size != 0) {
        const std::uint32_t mss = segment_room();
        const std::uint32_t window = congestion_.window();
        const std::uint32_t pipe = recovery_.pipe(una_, next_);
        const std::uint32_t room = window > pipe ? window - pipe : 0;
        const std::uint32_t one = std::min(size, mss);
        if (one > room && pipe != 0) {
            used_up_ = true;
            return false;
        }
        const std::uint32_t longest = engine_.below().longest(*this);
        if (longest == 0) {
            engine_.await_room(*this);
            return false;
        }
        if (size > mss) {
            // Several at once, when whoever sends them cuts them apart.
            const std::uint32_t many = std::min(longest, room);
            size = std::min(size, std::max(mss, many / mss * mss));
            if (size < unsent)
                size -= size % mss;
        } else if (size < mss) {
            // Small segments: one at a time [rfc9293 3.7.4], and no sliver of a window [rfc9293 3.8.6.2.1].
            const bool is_all = size == unsent;
            const bool may_go = is_all && (options_.no_delay || fin_wanted_ || next_ == una_);
            if (!may_go && size < greatest_window_ / 2)
                return false;
        }
    }
    const bool with_fin = has_fin && size == unsent && size < usable;
    if (size == 0 && !with_fin)
        return false;
    send_range({next_, next_ + size + (with_fin ? 1u : 0u)}, false);
    return true;
}

void connection::send_range(sequence_range range, bool again) {
    const bool with_fin = range.end > data_end();
    const auto size = static_cast<std::uint32_t>(range.end - range.begin) - (with_fin ? 1 : 0);
    outgoing what;
    what.header.is_fin = with_fin;
    what.header.is_push = size != 0 && range.begin + size == data_end();
    what.from = &sent_;
    what.at = static_cast<std::size_t>(range.begin - buffer_at_);
    what.size = size;
    what.segment_size = segment_room();
    tcp_statistics& counted = engine_.counters();
    if (again) {
        ++counted.retransmitted;
        resent_stamp_ = stamp_now();
        recovery_.sent_again(range);
        if (timing_ && range.begin < timed_)
            timing_ = false;
    } else {
        if (!timing_ && range.begin >= most_) {
            timing_ = true;
            timed_ = range.end;
            timed_at_ = now_is();
        }
        if (next_ == una_)
            progress_at_ = now_is();
        next_ = range.end;
        most_ = std::max(most_, next_);
    }
    counted.bytes_sent += size;
    emit(what, range.begin);
    // It runs from the first of what is on its way; what is sent again after a timeout starts it anew [rfc6298 5].
    if (retransmit_at_ == fiber::never || again)
        retransmit_at_ = now_is() + rtt_.timeout(engine_.how());
}

void connection::send_syn() {
    const settings& how = engine_.how();
    const bool answers = state_ == state::syn_received;
    outgoing what;
    wire::tcp_header& header = what.header;
    header.is_syn = true;
    header.options.mss = own_mss_;
    if (answers ? scales_ : how.window_scale)
        header.options.window_scale = engine_.window_scale();
    header.options.sack_permitted = answers ? selective_ : how.selective_acks;
    if (answers ? stamped_ : how.timestamps)
        header.options.timestamps = wire::tcp_timestamps{stamp_now(), answers ? stamp_recent_ : 0};
    header.sequence = iss_;
    if (answers)
        header.acknowledgment = receive_next();
    header.window = static_cast<std::uint16_t>(std::min<std::uint32_t>(receive_limit_, 65535));
    header.source_port = flow_.local.port;
    header.destination_port = flow_.remote.port;
    next_ = most_ = iss_ + 1;
    sent_at_ = timed_at_ = now_is();
    retransmit_at_ = now_is() + (rtt_.timeout(how) << syn_doublings_);
    ++engine_.counters().sent;
    engine_.below().send(flow_, what, this);
}

void connection::send_acknowledgment() {
    outgoing what;
    add_blocks(what.header.options);
    // A probe may have found no room, or the peer have shrunk its window: what is behind that would not count there.
    const tcp_sequence edge = una_ + send_window_;
    emit(what, probing_ ? una_ : std::min(next_, std::max(edge, una_)));
}

void connection::add_blocks(wire::tcp_options& to) noexcept {
    if (!selective_)
        return;
    const std::size_t most = stamped_ ? 3 : 4;
    // What came twice is said first, and once [rfc2883 4].
    if (std::exchange(has_duplicate_, false))
        to.sack.push_back(duplicate_);
    if (received_.has_gap())
        received_.report(to.sack, most);
}

void connection::send_reset() {
    outgoing what;
    what.header.is_rst = true;
    ++engine_.counters().resets_sent;
    emit(what, next_);
}

void connection::send_probe() {
    // One byte, which finds out whether there is room for it [rfc9293 3.8.6.1]; or whatever fits, when a small window
    // was merely not worth a segment until now.
    const tcp_sequence end = data_end() + (fin_wanted_ ? 1u : 0u);
    if (una_ == end)
        return;
    ++engine_.counters().window_probes;
    if (probes_ < 255)
        ++probes_;
    if (!probing_ && send_window_ != 0) {
        const auto size =
            std::min({static_cast<std::uint32_t>(end - next_), send_window_, static_cast<std::uint32_t>(mss_)});
        return send_range({next_, next_ + size}, false);
    }
    const tcp_sequence at = una_;
    timing_ = false;
    send_range({at, at + 1u}, false);
    timing_ = false;
    probing_ = true;
    retransmit_at_ = now_is() + rtt_.timeout(engine_.how());
}

void connection::send_keep_alive() {
    // What the peer has already makes it answer [rfc9293 3.8.4].
    ++engine_.counters().keep_alives;
    outgoing what;
    emit(what, next_ - 1u);
}

std::uint32_t connection::offered_window() noexcept {
    const tcp_sequence next = receive_next();
    const std::uint32_t now = edge_ > next ? static_cast<std::uint32_t>(edge_ - next) : 0;
    const std::uint32_t held = received_.readable();
    const std::uint32_t free = receive_limit_ > held ? receive_limit_ - held : 0;
    // The edge never moves back; it moves on by a segment or half of the buffer, not by less [rfc9293 3.8.6.2.2].
    const bool worth =
        free >= now + std::min<std::uint32_t>(receive_limit_ / 2, std::max<std::uint32_t>(seen_mss_, 536));
    std::uint32_t offer = worth && !(engine_.store().is_short() && held != 0) ? free : now;
    offer = std::min(offer, 65535u << receive_scale_);
    // Rounded up, because rounding down would take back what was offered.
    const std::uint32_t unit = 1u << receive_scale_;
    offer = std::min((offer + unit - 1) / unit * unit, 65535u << receive_scale_);
    return offer;
}

bool connection::window_update_due() const noexcept {
    const tcp_sequence next = receive_next();
    const std::uint32_t now = edge_ > next ? static_cast<std::uint32_t>(edge_ - next) : 0;
    const std::uint32_t held = received_.readable();
    const std::uint32_t free = receive_limit_ > held ? receive_limit_ - held : 0;
    if (free <= now || (engine_.store().is_short() && held != 0))
        return false;
    const std::uint32_t more = free - now;
    const std::uint32_t segment = std::max<std::uint32_t>(seen_mss_, 536);
    return more >= receive_limit_ / 2 || (now < 2 * segment && more >= std::min(receive_limit_ / 2, segment));
}

void connection::emit(outgoing& what, tcp_sequence at) {
    wire::tcp_header& header = what.header;
    header.source_port = flow_.local.port;
    header.destination_port = flow_.remote.port;
    header.sequence = at;
    header.acknowledgment = receive_next();
    if (!header.is_rst) {
        const std::uint32_t window = offered_window();
        edge_ = std::max(edge_, receive_next() + window);
        header.window = static_cast<std::uint16_t>(window >> receive_scale_);
        if (what.size != 0)
            add_blocks(header.options);
    }
    if (stamped_)
        header.options.timestamps = wire::tcp_timestamps{stamp_now(), stamp_recent_};
    acknowledge_now_ = false;
    acknowledge_at_ = fiber::never;
    unacknowledged_ = 0;
    last_acknowledged_ = receive_next();
    sent_at_ = now_is();
    ++engine_.counters().sent;
    engine_.below().send(flow_, what, this);
}

}  // namespace halvm::net::tcp
