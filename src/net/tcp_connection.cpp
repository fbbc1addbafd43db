// SPDX-License-Identifier: BSD-3-Clause
// A connection's life: its user's calls, its timers, its end.
#include <halvm/net/tcp/connection.hpp>

#include <halvm/net/tcp/engine.hpp>

#include <algorithm>

namespace halvm::net::tcp {

namespace {
constexpr auto nanoseconds(std::chrono::nanoseconds time) noexcept { return rtt_estimator::nanoseconds(time); }
}  // namespace

connection::connection(engine& own, const flow& ends, const connection_options& how)
    : alarm{[](alarm& one) noexcept { static_cast<connection&>(one).ring_now(); }},
      engine_{own},
      flow_{ends},
      options_{how},
      send_limit_{own.how().send_buffer},
      receive_limit_{own.how().receive_buffer},
      rtt_{own.how()},
      congestion_{how.congestion},
      recovery_{own.store()},
      sent_{own.store()},
      received_{own.store()} {
    heard_at_ = sent_at_ = progress_at_ = tuned_at_ = own.now();
}

connection::~connection() = default;

instant connection::now_is() const noexcept { return engine_.now(); }

void connection::set_mss(std::uint16_t peer, std::uint16_t path) noexcept {
    // As much as the options of each segment leave [rfc6691]. A peer that says next to nothing gets no such segments.
    constexpr std::uint16_t least = 88;
    peer_mss_ = std::max<std::uint16_t>(peer, least);
    path_mss_ = path;
    mss_ = static_cast<std::uint16_t>(std::min(peer_mss_, path_mss_) - (stamped_ ? 12 : 0));
    congestion_.apply([this](auto& control) { control.change_mss(mss_); });
}

void connection::open(const segment_sizes& sizes) {
    iss_ = engine_.first_sequence(flow_);
    stamp_offset_ = engine_.stamp_offset(flow_);
    una_ = next_ = most_ = iss_;
    buffer_at_ = iss_ + 1;
    recovery_.start(iss_);
    path_mss_ = sizes.send;
    own_mss_ = sizes.receive;
    state_ = state::syn_sent;
    life_ends_at_ = now_is() + nanoseconds(engine_.how().connect_timeout);
    send_syn();
    arm();
}

void connection::establish(const handshake& agreed, const segment_sizes& sizes, std::uint32_t window) {
    iss_ = agreed.iss;
    irs_ = agreed.irs;
    una_ = next_ = most_ = buffer_at_ = iss_ + 1;
    recovery_.start(una_);
    received_.start(irs_ + 1);
    last_acknowledged_ = received_.next();
    own_mss_ = sizes.receive;
    scales_ = agreed.scales;
    send_scale_ = agreed.send_scale;
    receive_scale_ = agreed.receive_scale;
    selective_ = agreed.selective;
    stamped_ = agreed.stamped;
    stamp_recent_ = agreed.peer_stamp;
    stamp_taken_ = now_is();
    stamp_offset_ = agreed.stamp_offset;
    edge_ = received_.next() + std::min<std::uint32_t>(receive_limit_, 65535);
    send_window_ = greatest_window_ = window;
    wl1_ = irs_;
    wl2_ = una_;
    set_mss(agreed.peer_mss, sizes.send);
    syn_repeated_ = agreed.repeated;
    if (agreed.took != 0)
        rtt_.sample(agreed.took, engine_.how());
    state_ = state::established;
    begin_to_send();
}

void connection::begin_to_send() {
    set_mss(peer_mss_, path_mss_);
    // [rfc6928 2], and one segment when the handshake lost something [rfc5681 3.1].
    const std::uint32_t first =
        syn_repeated_ ? mss_ : std::min<std::uint32_t>(10u * mss_, std::max<std::uint32_t>(2u * mss_, 14600));
    congestion_.apply([&](auto& control) { control.start(mss_, first); });
    if (syn_repeated_)
        rtt_.be_careful();
    resent_stamp_ = stamp_now() - 60'000;
    life_ends_at_ = released_ ? life_ends_at_ : fiber::never;
    progress_at_ = now_is();
}

std::size_t connection::room() const noexcept {
    const std::size_t limit =
        engine_.store().is_short() ? std::min(send_limit_, engine_.how().send_buffer) : send_limit_;
    return queued_ < limit ? limit - queued_ : 0;
}

std::size_t connection::write(const payload_view& data) {
    Expects(can_send());
    payload_view fits = data;
    if (fits.size() > room())
        fits.trim_back(fits.size() - room());
    const std::size_t done = sent_.put(queued_, fits);
    queued_ += static_cast<std::uint32_t>(done);
    if (done != 0 && may_send_data())
        output();
    return done;
}

std::size_t connection::read(bytes into) {
    const std::size_t done = received_.read(into);
    if (done != 0 && is_open()) {
        tune_receive_buffer(done);
        if (window_update_due() && !fin_received_) {
            send_acknowledgment();
            arm();
        }
    }
    return done;
}

void connection::tune_receive_buffer(std::size_t was_read) noexcept {
    // Who reads in one round trip as much as half of the window is slowed down by it.
    read_since_ += static_cast<std::uint32_t>(was_read);
    const instant now = now_is();
    const std::uint64_t trip = std::max<std::uint64_t>(rtt_.smoothed(), 1'000'000);
    if (now - tuned_at_ < trip)
        return;
    if (read_since_ > receive_limit_ / 2 && now - tuned_at_ < 4 * trip && !engine_.store().is_short())
        receive_limit_ = std::min(receive_limit_ * 2, engine_.how().most_receive_buffer);
    read_since_ = 0;
    tuned_at_ = now;
}

void connection::shutdown() {
    if (fin_wanted_ || !is_open())
        return;
    fin_wanted_ = true;
    switch (state_) {
    case state::syn_sent:
        // Nothing was said that needs an end.
        if (queued_ == 0)
            end({});
        return;
    case state::established: state_ = state::fin_wait_1; break;
    case state::close_wait: state_ = state::last_ack; break;
    default: break;
    }
    if (may_send_data())
        output();
}

void connection::abort() {
    if (!is_open())
        return;
    if (state_ != state::syn_sent)
        send_reset();
    end(std::errc::connection_aborted);
}

void connection::set_no_delay(bool on) {
    options_.no_delay = on;
    if (on && may_send_data())
        output();
}

void connection::release() {
    released_ = true;
    observer_ = nullptr;
    if (!is_open()) {
        received_.clear();
        return;
    }
    // Who goes without having read all has lost something, and the peer is told [rfc9293 3.6.1].
    if (received_.readable() != 0 || is_connecting()) {
        abort();
        received_.clear();
        return;
    }
    received_.clear();
    shutdown();
    if (state_ == state::fin_wait_2)
        life_ends_at_ = now_is() + nanoseconds(engine_.how().fin_wait_2);
    if (is_open())
        arm();
}

void connection::end(std::errc why) {
    if (!is_open())
        return;
    failure_ = why;
    state_ = state::closed;
    sent_.clear();
    queued_ = 0;
    recovery_.forget(una_);
    received_.drop_ahead();
    if (released_)
        received_.clear();
    engine_.ended(*this);
    tell();
}

void connection::tell() noexcept {
    if (observer_ != nullptr)
        observer_->changed();
}

void connection::unreachable(std::errc why, bool is_hard, tcp_sequence quoted) {
    // Whoever wants to end a connection by such a message must know where it is, and then it is no more than a hint
    // [rfc5927 4.1, 5.2]; but for one that is not yet made.
    if (quoted < una_ || quoted >= std::max(most_, una_ + 1))
        return;
    if (state_ == state::syn_sent && is_hard)
        return end(why);
    soft_failure_ = why;
}

void connection::path_narrowed(tcp_sequence quoted, std::uint16_t size) {
    if (quoted < una_ || quoted >= most_ || !may_send_data() || size >= path_mss_)
        return;
    set_mss(peer_mss_, size);
    // What was too big is sent again at once, in smaller pieces; it is no sign of a full path.
    if (next_ != una_) {
        recovery_.on_timeout(una_, next_);
        timing_ = false;
        output();
    }
}

void connection::arm_retransmission() noexcept {
    const bool something_unsent = data_end() + (fin_wanted_ ? 1u : 0u) > next_;
    if (next_ != una_ || something_unsent) {
        if (retransmit_at_ == fiber::never) {
            if (next_ == una_)
                progress_at_ = now_is();
            retransmit_at_ = now_is() + rtt_.timeout(engine_.how());
        }
    } else {
        retransmit_at_ = fiber::never;
    }
}

instant connection::given_up_at() const noexcept {
    return retransmit_at_ == fiber::never || is_connecting() ? fiber::never
                                                             : progress_at_ + nanoseconds(options_.user_timeout);
}

void connection::retransmission_due() {
    retransmit_at_ = fiber::never;
    const instant now = now_is();
    if (is_connecting()) {
        if (syn_doublings_ < 6)
            ++syn_doublings_;
        syn_repeated_ = true;
        next_ = iss_;
        return send_syn();
    }
    if (now >= progress_at_ + nanoseconds(options_.user_timeout)) {
        ++engine_.counters().timed_out;
        send_reset();
        return end(soft_failure_ != std::errc{} ? soft_failure_ : std::errc::timed_out);
    }
    if (next_ == una_ || probing_) {
        // Nothing is on its way, and something waits: the window is closed, or too small to be worth it.
        rtt_.back_off();
        return send_probe();
    }
    if (send_window_ == 0) {
        // The peer has closed the window over what was on its way.
        recovery_.forget(una_);
        next_ = una_;
        rtt_.back_off();
        return send_probe();
    }
    const bool is_first = recovery_.timeouts_in_row() == 0;
    congestion_.apply([&](auto& control) { control.on_timeout(in_flight(), is_first, now); });
    recovery_.on_timeout(una_, next_);
    rtt_.back_off();
    timing_ = false;
    ++engine_.counters().timeouts;
    output();
}

void connection::ring_now() {
    const instant now = now_is();
    if (now >= life_ends_at_) {
        const bool was_connecting = is_connecting();
        if (!was_connecting)
            ++engine_.counters().abandoned;
        else
            ++engine_.counters().timed_out;
        end(!was_connecting ? std::errc{} : soft_failure_ != std::errc{} ? soft_failure_ : std::errc::timed_out);
        return engine_.reap(*this);
    }
    if (now >= acknowledge_at_) {
        ++engine_.counters().delayed_acknowledgments;
        send_acknowledgment();
    }
    if (now >= std::min(retransmit_at_, given_up_at()))
        retransmission_due();
    if (is_open() && options_.keep_alive && next_ == una_ && may_send_data() &&
        now >=
            heard_at_ + nanoseconds(options_.keep_alive_idle) + probes_ * nanoseconds(options_.keep_alive_interval)) {
        if (probes_ >= options_.keep_alive_probes) {
            ++engine_.counters().timed_out;
            send_reset();
            end(std::errc::timed_out);
        } else {
            ++probes_;
            send_keep_alive();
        }
    }
    if (is_open())
        arm();
    engine_.reap(*this);
}

void connection::arm() {
    if (!is_open())
        return;
    instant first = std::min({retransmit_at_, acknowledge_at_, life_ends_at_, given_up_at()});
    if (options_.keep_alive && next_ == una_ && may_send_data())
        first = std::min(first, heard_at_ + nanoseconds(options_.keep_alive_idle) +
                                    probes_ * nanoseconds(options_.keep_alive_interval));
    engine_.set_timer(*this, first);
}

}  // namespace halvm::net::tcp
