// SPDX-License-Identifier: BSD-3-Clause
// What a connection does with a segment, in the order of [rfc9293 3.10.7].
#include <halvm/net/tcp/connection.hpp>

#include <halvm/net/tcp/engine.hpp>

#include <algorithm>

namespace halvm::net::tcp {
namespace {

constexpr std::uint64_t millisecond = 1'000'000;
/// After so long without a segment, a stamp may have gone all the way round [rfc7323 5.5].
constexpr instant stamp_lasts = instant{24 * 86'400} * 1'000 * millisecond;
/// Between two answers to what may be an answer itself: else two ends could go on for ever [rfc5961 7].
constexpr instant answer_interval = 500 * millisecond;

}  // namespace

void connection::agree(const wire::tcp_options& theirs) noexcept {
    const settings& how = engine_.how();
    peer_mss_ = theirs.mss.value_or(536);
    stamped_ = how.timestamps && theirs.timestamps.has_value();
    selective_ = how.selective_acks && theirs.sack_permitted;
    scales_ = how.window_scale && theirs.window_scale.has_value();
    send_scale_ = scales_ ? *theirs.window_scale : std::uint8_t{0};
    receive_scale_ = scales_ ? engine_.window_scale() : std::uint8_t{0};
    if (stamped_) {
        stamp_recent_ = theirs.timestamps->value;
        stamp_taken_ = now_is();
    }
}

void connection::arrive_syn_sent(const wire::tcp_header& header, payload_view data) {
    const auto ack = header.acknowledgment;
    if (ack && (*ack <= iss_ || *ack > most_)) {
        if (!header.is_rst)
            engine_.reset(flow_, header, 0);
        return;
    }
    if (header.is_rst) {
        if (ack)
            end(std::errc::connection_refused);
        return;
    }
    if (!header.is_syn)
        return;
    irs_ = header.sequence;
    received_.start(irs_ + 1);
    last_acknowledged_ = received_.next();
    edge_ = received_.next() + std::min<std::uint32_t>(receive_limit_, 65535);
    agree(header.options);
    // The window of a SYN is never scaled [rfc7323 2.2].
    send_window_ = greatest_window_ = header.window;
    wl1_ = header.sequence;
    wl2_ = ack.value_or(iss_);
    heard_at_ = now_is();
    retransmit_at_ = fiber::never;
    if (!ack) {
        // Both ends have begun at once [rfc9293 3.5, figure 7].
        state_ = state::syn_received;
        next_ = iss_;
        send_syn();
        return;
    }
    una_ = *ack;
    if (!syn_repeated_)
        rtt_.sample(now_is() - timed_at_, engine_.how());
    state_ = state::established;
    begin_to_send();
    acknowledge_now_ = true;
    if (fin_wanted_)
        state_ = state::fin_wait_1;
    tell();
    take_data(header, data);
    output();
}

bool connection::is_acceptable(const wire::tcp_header& header, std::size_t size) const noexcept {
    const tcp_sequence next = receive_next();
    const std::uint32_t length = static_cast<std::uint32_t>(size) + (header.is_syn ? 1 : 0) + (header.is_fin ? 1 : 0);
    const tcp_sequence at = header.sequence;
    // A peer that has filled the window stands at its edge, and what it acknowledges counts.
    if (length == 0)
        return next <= at && at <= edge_;
    // What asks whether a closed window has opened tells something itself [rfc9293 3.10.7.4].
    if (edge_ <= next)
        return at == next;
    return at < edge_ && at + length > next;
}

bool connection::is_old_by_stamp(const wire::tcp_header& header) const noexcept {
    return static_cast<std::int32_t>(header.options.timestamps->value - stamp_recent_) < 0 &&
           now_is() - stamp_taken_ < stamp_lasts;
}

void connection::take_stamp(const wire::tcp_header& header) noexcept {
    if (!stamped_ || !header.options.timestamps || header.sequence > last_acknowledged_)
        return;
    if (static_cast<std::int32_t>(header.options.timestamps->value - stamp_recent_) >= 0 ||
        now_is() - stamp_taken_ >= stamp_lasts) {
        stamp_recent_ = header.options.timestamps->value;
        stamp_taken_ = now_is();
    }
}

void connection::challenge() {
    if (engine_.may_challenge())
        send_acknowledgment();
}

void connection::answer_unacceptable(const wire::tcp_header& header, std::size_t size) {
    ++engine_.counters().out_of_window;
    if (header.is_rst)
        return;
    const instant now = now_is();
    if (size == 0 && !header.is_fin) {
        if (answered_at_ != 0 && now - answered_at_ < answer_interval)
            return;
        answered_at_ = now;
    } else if (selective_ && size != 0 && header.sequence + static_cast<std::uint32_t>(size) <= receive_next()) {
        duplicate_ = {header.sequence, header.sequence + static_cast<std::uint32_t>(size)};
        has_duplicate_ = true;
    }
    send_acknowledgment();
}

void connection::arrive(const wire::tcp_header& header, payload_view data) {
    if (state_ == state::syn_sent) {
        arrive_syn_sent(header, data);
        return arm();
    }
    if (stamped_ && !header.is_rst) {
        if (!header.options.timestamps) {
            ++engine_.counters().no_timestamp;  // [rfc7323 3.2]
            return;
        }
        if (is_old_by_stamp(header)) {
            ++engine_.counters().old_timestamp;
            answer_unacceptable(header, data.size());
            return arm();
        }
    }
    if (state_ == state::syn_received && header.is_syn && !header.is_rst && header.sequence == irs_ &&
        header.acknowledgment == most_) {
        // Both ends have begun at once, and this is the peer's last step [rfc9293 3.5, figure 7].
        wire::tcp_header last = header;
        last.is_syn = false;
        last.sequence = receive_next();
        last.window = static_cast<std::uint16_t>(header.window >> send_scale_);  // it is not scaled in a SYN
        acknowledge_now_ = true;
        return arrive(last, data);
    }
    if (!is_acceptable(header, data.size())) {
        answer_unacceptable(header, data.size());
        return arm();
    }
    if (header.is_rst) {
        // Only who knows the very next number may end it; others are asked [rfc5961 3.2].
        if (header.sequence != receive_next()) {
            challenge();
            return arm();
        }
        ++engine_.counters().resets_received;
        if (state_ == state::syn_received)
            return end(std::errc::connection_refused);
        // Both have said all: the peer has merely forgotten it before us, if it has what we sent [rfc9293 3.10.7.4].
        const bool is_over = (state_ == state::closing || state_ == state::last_ack) && queued_ == 0;
        return end(is_over ? std::errc{} : std::errc::connection_reset);
    }
    if (header.is_syn) {
        challenge();  // [rfc5961 4.2]
        return arm();
    }
    if (!header.acknowledgment)
        return;
    if (!take_acknowledgment(header, data.size()))
        return arm();
    take_stamp(header);
    heard_at_ = now_is();
    probes_ = probing_ ? probes_ : std::uint8_t{0};
    if (released_ && !data.empty() && is_open() &&
        header.sequence + static_cast<std::uint32_t>(data.size()) > receive_next()) {
        // Nobody will read it, and the peer is told that now [rfc9293 3.6.1] [rfc2525 2.17].
        ++engine_.counters().data_after_close;
        send_reset();
        return end(std::errc::connection_aborted);
    }
    take_data(header, data);
    if (is_open()) {
        output();
        arm();
    }
}

bool connection::take_acknowledgment(const wire::tcp_header& header, std::size_t size) {
    const tcp_sequence ack = *header.acknowledgment;
    if (state_ == state::syn_received) {
        if (ack <= una_ || ack > most_) {
            engine_.reset(flow_, header, size);
            return false;
        }
        state_ = fin_wanted_ ? state::fin_wait_1 : state::established;
        una_ = ack;
        if (!syn_repeated_)
            rtt_.sample(now_is() - timed_at_, engine_.how());
        retransmit_at_ = fiber::never;
        send_window_ = greatest_window_ = static_cast<std::uint32_t>(header.window) << send_scale_;
        wl1_ = header.sequence;
        wl2_ = ack;
        begin_to_send();
        tell();
        return true;
    }
    // [rfc5961 5.2]
    if (ack > most_ || ack < una_ - greatest_window_) {
        ++engine_.counters().bad_acknowledgment;
        challenge();
        return false;
    }
    if (ack < una_)
        return true;
    const std::uint32_t window = static_cast<std::uint32_t>(header.window) << send_scale_;
    // The answers to probes of a closed window are all the same, and tell of no loss.
    const bool is_duplicate =
        !probing_ && ack == una_ && size == 0 && !header.is_fin && window == send_window_ && next_ != una_;
    if (wl1_ < header.sequence || (wl1_ == header.sequence && wl2_ <= ack)) {
        send_window_ = window;
        greatest_window_ = std::max(greatest_window_, window);
        wl1_ = header.sequence;
        wl2_ = ack;
    }
    const tcp_sequence before = una_;
    const std::uint32_t flight = in_flight();
    const bool was_timed_out = recovery_.now() == recovery::phase::timed_out;
    if (ack > una_)
        acknowledge_new(header);
    else if (probing_)
        progress_at_ = now_is();  // it is there, and that is all that is asked for [rfc9293 3.8.6.1]
    if (probing_ && (send_window_ != 0 || una_ == next_)) {
        // The byte that asked for room may not have found any; then it is to be sent again with the rest.
        probing_ = false;
        probes_ = 0;
        next_ = una_;
        retransmit_at_ = fiber::never;
        rtt_.progress();
    }
    if (!is_open())
        return true;
    const recovery::event told = recovery_.on_acknowledgment({.before = before,
                                                              .una = una_,
                                                              .nxt = next_,
                                                              .mss = mss_,
                                                              .selective = selective_,
                                                              .duplicate = is_duplicate,
                                                              .blocks = &header.options.sack});
    const instant now = now_is();
    if (told == recovery::event::loss) {
        ++engine_.counters().recoveries;
        timing_ = false;
        congestion_.apply([&](auto& control) { control.on_loss(in_flight(), now); });
    } else if (una_ != before && recovery_.now() != recovery::phase::recovering &&
               (told == recovery::event::nothing || was_timed_out)) {
        const std::uint32_t window_now = congestion_.window();
        const bool is_used = used_up_ || (window_now < congestion_.threshold() && flight >= window_now / 2);
        // The end of it may acknowledge much that had long arrived [rfc3465 2.3].
        const auto newly = static_cast<std::uint32_t>(una_ - before);
        const acknowledged what{.size = told == recovery::event::nothing ? newly : std::min<std::uint32_t>(newly, mss_),
                                .now = now,
                                .smoothed_rtt = rtt_.smoothed(),
                                .used_up = is_used};
        congestion_.apply([&](auto& control) { control.on_acknowledged(what); });
        send_limit_ = std::clamp(2 * std::min(congestion_.window(), 1u << 28), send_limit_,
                                 std::max(send_limit_, engine_.how().most_send_buffer));
    }
    return true;
}

void connection::measure(const wire::tcp_header& header) noexcept {
    const instant now = now_is();
    if (timing_ && *header.acknowledgment >= timed_) {
        timing_ = false;
        rtt_.sample(now - timed_at_, engine_.how());
    } else if (!timing_ && stamped_ && header.options.timestamps->echo != 0) {
        // Which of several copies was acknowledged, the echo says [rfc7323 4]. One from before the last copy may be of
        // an acknowledgment that was lost and is repeated now: it measures nothing.
        const std::uint32_t echo = header.options.timestamps->echo;
        const std::uint32_t took = stamp_now() - echo;
        if (static_cast<std::int32_t>(echo - resent_stamp_) >= 0 && took < 600'000)
            rtt_.sample(std::max<std::uint64_t>(took, 1) * millisecond, engine_.how());
    }
}

void connection::acknowledge_new(const wire::tcp_header& header) {
    const tcp_sequence ack = *header.acknowledgment;
    measure(header);
    if (next_ < ack)
        next_ = ack;
    const auto bytes_acked = std::min<std::uint32_t>(static_cast<std::uint32_t>(ack - buffer_at_), queued_);
    const bool was_full = room() == 0;
    sent_.drop(bytes_acked);
    buffer_at_ = buffer_at_ + bytes_acked;
    queued_ -= bytes_acked;
    if (queued_ == 0)
        sent_.clear();
    una_ = ack;
    rtt_.progress();
    progress_at_ = now_is();
    soft_failure_ = {};
    retransmit_at_ = fiber::never;
    if (fin_wanted_ && !fin_acknowledged_ && ack == data_end() + 1u) {
        fin_acknowledged_ = true;
        our_fin_acknowledged();
    }
    // Who waits for room, or for all to be acknowledged.
    if (was_full || queued_ == 0 || room() >= send_limit_ / 3)
        tell();
}

void connection::our_fin_acknowledged() {
    switch (state_) {
    case state::fin_wait_1:
        state_ = state::fin_wait_2;
        if (released_)
            life_ends_at_ = now_is() + rtt_estimator::nanoseconds(engine_.how().fin_wait_2);
        break;
    case state::closing: engine_.wait_out(*this); break;
    case state::last_ack: end({}); break;
    default: break;
    }
}

void connection::take_data(const wire::tcp_header& header, payload_view data) {
    if (!is_open())
        return;
    tcp_sequence at = header.sequence + (header.is_syn ? 1u : 0u);
    bool has_fin = header.is_fin;
    // What is behind the peer's FIN is nobody's.
    if (fin_received_ || (fin_is_known_ && at >= peer_fin_)) {
        acknowledge_now_ = acknowledge_now_ || !data.empty();
        data = {};
    } else if (fin_is_known_ && at + static_cast<std::uint32_t>(data.size()) > peer_fin_) {
        data.trim_back(data.size() - static_cast<std::uint32_t>(peer_fin_ - at));
    }
    if (const tcp_sequence data_ends = at + static_cast<std::uint32_t>(data.size()); data_ends > edge_) {
        const auto beyond = static_cast<std::uint32_t>(data_ends - edge_);
        data.trim_back(std::min<std::size_t>(beyond, data.size()));
        has_fin = false;
        acknowledge_now_ = true;
    }
    if (has_fin && !fin_is_known_) {
        peer_fin_ = at + static_cast<std::uint32_t>(data.size());
        // One in front of what the peer has sent already is no end.
        fin_is_known_ = peer_fin_ >= received_.end();
    }
    if (!data.empty()) {
        engine_.counters().bytes_received += data.size();
        const bool had_gap = received_.has_gap();
        const tcp_sequence before = received_.next();
        switch (received_.accept(at, data, engine_.how().out_of_order_ranges)) {
        case reassembly::outcome::in_order: {
            // Every second full segment at least, and at once what fills a gap [rfc9293 3.8.6.3] [rfc5681 4.2].
            unacknowledged_ += static_cast<std::uint32_t>(received_.next() - before);
            const auto seen = static_cast<std::uint16_t>(std::min<std::size_t>(data.size(), own_mss_));
            seen_mss_ = std::max(seen_mss_, seen);
            if (had_gap || unacknowledged_ >= 2u * std::max<std::uint32_t>(seen_mss_, 88))
                acknowledge_now_ = true;
            else if (acknowledge_at_ == fiber::never)
                acknowledge_at_ = now_is() + rtt_estimator::nanoseconds(engine_.how().delayed_ack);
            tell();
            break;
        }
        case reassembly::outcome::out_of_order:
            ++engine_.counters().out_of_order;
            acknowledge_now_ = true;
            break;
        case reassembly::outcome::known:
            ++engine_.counters().duplicates;
            duplicate_ = {at, at + static_cast<std::uint32_t>(data.size())};
            has_duplicate_ = selective_;
            acknowledge_now_ = true;
            break;
        case reassembly::outcome::dropped:
            ++engine_.counters().no_room;
            acknowledge_now_ = true;
            break;
        }
    }
    if (fin_is_known_ && !fin_received_ && received_.next() == peer_fin_)
        take_fin();
    else if (header.is_fin)
        acknowledge_now_ = true;
}

void connection::take_fin() {
    fin_received_ = true;
    acknowledge_now_ = true;
    // It takes a place in the window.
    edge_ = std::max(edge_, receive_next());
    received_.drop_ahead();
    switch (state_) {
    case state::established: state_ = state::close_wait; break;
    case state::fin_wait_1: state_ = state::closing; break;
    case state::fin_wait_2:
        send_acknowledgment();
        engine_.wait_out(*this);
        break;
    default: break;
    }
    tell();
}

}  // namespace halvm::net::tcp
