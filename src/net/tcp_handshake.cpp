// SPDX-License-Identifier: BSD-3-Clause
// Handshakes that others begin: remembered in a small table, and when that is full in what we answer, a cookie
// [rfc4987]; and what is left of connections that have ended.
#include <halvm/net/tcp/engine.hpp>

#include <algorithm>
#include <array>

namespace halvm::net::tcp {
namespace {

/// What a cookie says of the peer's segments: one of these, at most as large as what the peer has said.
constexpr std::array<std::uint16_t, 8> cookie_sizes{216, 536, 1024, 1220, 1360, 1400, 1440, 1460};
/// How long a cookie is good: this and the next of such periods.
constexpr std::uint64_t cookie_period = 64'000'000'000;
constexpr std::uint32_t no_scale = 15;

}  // namespace

std::uint32_t engine::cookie(const flow& way, tcp_sequence irs, std::uint32_t count, unsigned mss) const noexcept {
    const auto hash =
        static_cast<std::uint32_t>(secret_(way, std::uint64_t{irs.value()} << 32 | (count << 3 | mss)) & 0xff'ffff);
    return (count & 31) << 27 | mss << 24 | hash;
}

void engine::send_syn_ack(const flow& way, const handshake& agreed, std::uint16_t own_mss) {
    outgoing what;
    wire::tcp_header& header = what.header;
    header.source_port = way.local.port;
    header.destination_port = way.remote.port;
    header.is_syn = true;
    header.sequence = agreed.iss;
    header.acknowledgment = agreed.irs + 1u;
    header.window = static_cast<std::uint16_t>(std::min<std::uint32_t>(settings_.receive_buffer, 65535));
    header.options.mss = own_mss;
    if (agreed.scales)
        header.options.window_scale = agreed.receive_scale;
    header.options.sack_permitted = agreed.selective;
    if (agreed.stamped)
        header.options.timestamps = wire::tcp_timestamps{
            static_cast<std::uint32_t>(now() / 1'000'000) + agreed.stamp_offset, agreed.peer_stamp};
    ++counters_.sent;
    network_.send(way, what, nullptr);
}

void engine::receive_syn(listener& at, const flow& way, const wire::tcp_header& header) {
    if (at.queue_.size() >= at.backlog_) {
        // The peer tries again, and by then somebody may have accepted one.
        ++counters_.backlog_full;
        return;
    }
    const auto sizes = network_.sizes(way);
    if (!sizes)
        return;
    handshake agreed;
    agreed.iss = first_sequence(way);
    agreed.irs = header.sequence;
    agreed.peer_mss = header.options.mss.value_or(536);
    agreed.scales = settings_.window_scale && header.options.window_scale.has_value();
    agreed.send_scale = agreed.scales ? *header.options.window_scale : std::uint8_t{0};
    agreed.receive_scale = agreed.scales ? window_scale_ : std::uint8_t{0};
    agreed.selective = settings_.selective_acks && header.options.sack_permitted;
    agreed.stamped = settings_.timestamps && header.options.timestamps.has_value();
    agreed.stamp_offset = stamp_offset(way);
    if (agreed.stamped)
        agreed.peer_stamp = header.options.timestamps->value;
    if (half_open_.full()) {
        if (settings_.cookies) {
            const unsigned mss = static_cast<unsigned>(std::max<std::ptrdiff_t>(
                std::upper_bound(cookie_sizes.begin(), cookie_sizes.end(), agreed.peer_mss) - cookie_sizes.begin() - 1,
                0));
            const auto count = static_cast<std::uint32_t>(now() / cookie_period);
            agreed.iss = tcp_sequence{cookie(way, agreed.irs, count, mss)};
            if (agreed.stamped) {
                // The peer sends our stamp back, and in it what the cookie has no room for.
                const auto stamp = static_cast<std::uint32_t>(now() / 1'000'000) + agreed.stamp_offset;
                const std::uint32_t said =
                    (agreed.scales ? agreed.send_scale : no_scale) << 1 | (agreed.selective ? 1 : 0);
                std::uint32_t marked = (stamp & ~0x1fu) | said;
                if (marked > stamp)
                    marked -= 0x20;
                agreed.stamp_offset -= stamp - marked;
            } else {
                agreed.scales = agreed.selective = false;
            }
            ++counters_.cookies_sent;
            return send_syn_ack(way, agreed, sizes->receive);
        }
        ++counters_.handshakes_failed;
        drop(half_open_.least_recent());
    }
    half_open_entry& one = half_open_.insert(way);
    half_open_.touch(one);
    one.own = this;
    one.to = &at;
    one.agreed = agreed;
    one.sizes = *sizes;
    one.began = now();
    one.tries = 0;
    set_timer(one, now() + rtt_estimator::nanoseconds(settings_.first_rto));
    send_syn_ack(way, agreed, sizes->receive);
}

void engine::drop(half_open_entry& one) noexcept {
    if (one.pending())
        wheel_.cancel(one);
    half_open_.erase(one);
}

void engine::half_open_due(half_open_entry& one) noexcept {
    if (one.tries == settings_.syn_ack_retries) {
        ++counters_.handshakes_failed;
        return drop(one);
    }
    ++one.tries;
    ++counters_.retransmitted;
    set_timer(one, now() + (rtt_estimator::nanoseconds(settings_.first_rto) << one.tries));
    send_syn_ack(one.key, one.agreed, one.sizes.receive);
}

bool engine::receive_half_open(half_open_entry& one, const flow& way, const wire::tcp_header& header,
                               payload_view data) {
    const tcp_sequence next = one.agreed.irs + 1u;
    if (header.is_rst) {
        if (header.sequence == next) {
            ++counters_.resets_received;
            ++counters_.handshakes_failed;
            drop(one);
        } else {
            ++counters_.out_of_window;
        }
        return true;
    }
    if (header.is_syn) {
        // The same again: our answer was lost. Another one is asked whether it is meant [rfc9293 3.10.7.4].
        if (header.sequence == one.agreed.irs && !header.acknowledgment) {
            send_syn_ack(way, one.agreed, one.sizes.receive);
        } else if (may_challenge()) {
            outgoing what;
            what.header.source_port = way.local.port;
            what.header.destination_port = way.remote.port;
            what.header.sequence = one.agreed.iss + 1u;
            what.header.acknowledgment = next;
            ++counters_.sent;
            network_.send(way, what, nullptr);
        }
        return true;
    }
    if (!header.acknowledgment)
        return true;
    if (*header.acknowledgment != one.agreed.iss + 1u) {
        reset(way, header, data.size());
        return true;
    }
    const bool is_old = one.agreed.stamped && header.options.timestamps &&
                        static_cast<std::int32_t>(header.options.timestamps->value - one.agreed.peer_stamp) < 0;
    if (header.sequence < next || header.sequence > next + settings_.receive_buffer || is_old) {
        ++counters_.out_of_window;
        return true;
    }
    if (one.to->queue_.size() >= one.to->backlog_) {
        // It is asked again when the handshake's timer rings.
        ++counters_.backlog_full;
        return true;
    }
    listener& to = *one.to;
    handshake agreed = one.agreed;
    const segment_sizes sizes = one.sizes;
    // What was answered more than once measures nothing [rfc6298 3].
    agreed.repeated = one.tries != 0;
    agreed.took = agreed.repeated ? 0 : std::max<std::uint64_t>(now() - one.began, 1);
    drop(one);
    if (connection* const made = establish(to, way, agreed, sizes, header)) {
        made->arrive(header, data);
        reap(*made);
    }
    return true;
}

connection* engine::establish(listener& at, const flow& way, const handshake& agreed, const segment_sizes& sizes,
                              const wire::tcp_header& header) {
    auto made = make(way, at.options_);
    if (!made) {
        reset(way, header, 0);
        return nullptr;
    }
    connection& one = **made;
    one.establish(agreed, sizes, static_cast<std::uint32_t>(header.window) << agreed.send_scale);
    one.waits_at_ = &at;
    at.queue_.push_back(one);
    ++counters_.accepted;
    if (at.observer_ != nullptr)
        at.observer_->changed();
    return &one;
}

bool engine::receive_cookie(listener& at, const flow& way, const wire::tcp_header& header, payload_view data) {
    // Only where cookies were sent is one believed.
    if (!settings_.cookies || counters_.cookies_sent == 0 || header.is_fin)
        return false;
    const std::uint32_t said = header.acknowledgment->value() - 1;
    const tcp_sequence irs = header.sequence - 1u;
    const unsigned mss = said >> 24 & 7;
    const auto now_count = static_cast<std::uint32_t>(now() / cookie_period);
    const bool is_good =
        said == cookie(way, irs, now_count, mss) || (now_count != 0 && said == cookie(way, irs, now_count - 1, mss));
    if (!is_good)
        return false;
    if (at.queue_.size() >= at.backlog_) {
        ++counters_.backlog_full;
        return true;
    }
    const auto sizes = network_.sizes(way);
    if (!sizes)
        return true;
    handshake agreed;
    agreed.iss = tcp_sequence{said};
    agreed.irs = irs;
    agreed.peer_mss = cookie_sizes[mss];
    agreed.stamp_offset = stamp_offset(way);
    if (settings_.timestamps && header.options.timestamps) {
        agreed.stamped = true;
        agreed.peer_stamp = header.options.timestamps->value;
        const std::uint32_t marks = header.options.timestamps->echo & 0x1f;
        agreed.selective = settings_.selective_acks && (marks & 1) != 0;
        if (settings_.window_scale && marks >> 1 != no_scale) {
            agreed.scales = true;
            agreed.send_scale = static_cast<std::uint8_t>(std::min(marks >> 1, 14u));
            agreed.receive_scale = window_scale_;
        }
    }
    ++counters_.cookies_accepted;
    if (connection* const made = establish(at, way, agreed, *sizes, header)) {
        made->arrive(header, data);
        reap(*made);
    }
    return true;
}

bool engine::receive_time_wait(time_wait_entry& one, const flow& way, const wire::tcp_header& header,
                               payload_view data) {
    // A reset must not cut it short [rfc1337].
    if (header.is_rst)
        return true;
    if (header.is_syn && !header.acknowledgment) {
        // A new connection from the same port, which nothing old can be taken for [rfc6191] [rfc9293 3.6.1].
        const bool is_stamped = one.stamped && header.options.timestamps;
        const bool is_new = is_stamped && header.options.timestamps->value != one.peer_stamp
                                ? static_cast<std::int32_t>(header.options.timestamps->value - one.peer_stamp) > 0
                                : header.sequence > one.receive;
        listener* const at = is_new ? find_listener(way.local) : nullptr;
        if (at != nullptr) {
            floor_ = one.next + 65536u;
            has_floor_ = true;
            time_waits_.erase(one);
            receive_syn(*at, way, header);
            has_floor_ = false;
            return true;
        }
    }
    const bool is_beyond = header.sequence + static_cast<std::uint32_t>(data.size()) > one.receive;
    if (header.is_fin && !is_beyond) {
        // Our last acknowledgment was lost: it all begins again.
        one.ends = now() + rtt_estimator::nanoseconds(settings_.time_wait);
        time_waits_.touch(one);
    }
    if (header.is_syn || header.is_fin || !data.empty()) {
        outgoing what;
        what.header.source_port = way.local.port;
        what.header.destination_port = way.remote.port;
        what.header.sequence = one.next;
        what.header.acknowledgment = one.receive;
        if (one.stamped)
            what.header.options.timestamps =
                wire::tcp_timestamps{static_cast<std::uint32_t>(now() / 1'000'000) + one.stamp_offset, one.peer_stamp};
        ++counters_.sent;
        network_.send(way, what, nullptr);
    }
    return true;
}

}  // namespace halvm::net::tcp
