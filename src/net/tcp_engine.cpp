// SPDX-License-Identifier: BSD-3-Clause
// Whose a segment is, and the tables of it.
#include <halvm/net/tcp/engine.hpp>

#include <algorithm>

namespace halvm::net::tcp {
namespace {

constexpr std::size_t first_buckets = 64;

failure tcp_failure(std::errc code, const char* attempted, const endpoint& about) noexcept {
    return halvm::failure{error{std::make_error_code(code), attempted, about.to_text().view()}};
}

}  // namespace

connection* listener::accept() noexcept {
    if (queue_.empty())
        return nullptr;
    connection& one = queue_.front();
    queue_.pop_front();
    one.waits_at_ = nullptr;
    return &one;
}

std::size_t engine::table_hash::operator()(const flow& of) const noexcept {
    return reading::mix(std::hash<ip_address>{}(of.remote.address) ^
                        (std::uint64_t{of.remote.port} << 16 | of.local.port));
}

engine::engine(const settings& how, network& below, tcp_statistics& counters)
    : settings_{how},
      network_{below},
      counters_{counters},
      memory_{how.memory},
      secret_{below.random(), below.random()},
      table_secret_{below.random()},
      buckets_(first_buckets),
      half_open_{how.half_open},
      time_waits_{how.time_waits} {
    if (settings_.window_scale)
        while (window_scale_ < wire::tcp_options::greatest_window_scale &&
               (65535u << window_scale_) < settings_.most_receive_buffer)
            ++window_scale_;
}

engine::~engine() {
    half_open_.for_each([this](half_open_entry& one) { drop(one); });
    for (connection*& first : buckets_)
        while (connection* const one = first) {
            Expects(one->released_);
            first = one->next_in_bucket_;
            if (one->queue_hook_.is_linked())
                without_room_.erase(without_room_.iterator_to(*one));
            if (one->pending())
                wheel_.cancel(*one);
            delete one;
        }
    Expects(listeners_.empty());
    if (time_wait_alarm_.pending())
        wheel_.cancel(time_wait_alarm_);
}

// The clock's part goes round in 4.8 hours [rfc6528 3].
tcp_sequence engine::first_sequence(const flow& of) const noexcept {
    const auto made = tcp_sequence{static_cast<std::uint32_t>(secret_(of, 1) + now() / 4000)};
    return has_floor_ && made <= floor_ ? floor_ : made;
}
std::uint32_t engine::stamp_offset(const flow& of) const noexcept { return static_cast<std::uint32_t>(secret_(of, 2)); }

bool engine::is_limited(bucket_limit& by, unsigned per_second) noexcept {
    const std::uint64_t second = now() / 1'000'000'000;
    if (by.second != second)
        by = {second, 0};
    return ++by.used > per_second;
}

bool engine::may_challenge() noexcept {
    // Somebody who is not the peer could count how many are left, and so learn whether one was sent to the peer: he is
    // not to know how many there are in a second. [Cao et al., 2016]
    const unsigned most = settings_.challenge_acks_per_second;
    if (challenges_.second != now() / 1'000'000'000 || most_challenges_ == 0)
        most_challenges_ = most / 2 + static_cast<unsigned>(network_.random() % (most + 1));
    if (is_limited(challenges_, most_challenges_)) {
        ++counters_.challenges_limited;
        return false;
    }
    ++counters_.challenges;
    return true;
}

void engine::set_timer(alarm& one, instant when) noexcept {
    // One that rings too early finds nothing to do, and costs less than to be moved with each segment.
    if (one.pending()) {
        if (one.deadline() <= when)
            return;
        wheel_.cancel(one);
    }
    if (when == fiber::never)
        return;
    const bool is_first = when < wheel_.earliest();
    wheel_.insert(one, when);
    if (is_first)
        network_.deadline_changed();
}

void engine::advance() {
    wheel_.expire(now(), [](fiber::timer& one) { static_cast<alarm&>(one).ring(); });
}

connection*& engine::bucket_of(const flow& of) noexcept {
    // Nobody outside can choose addresses and ports that all come to one place.
    return buckets_[reading::mix(table_hash{}(of) ^ table_secret_) & (buckets_.size() - 1)];
}

connection* engine::find(const flow& of) noexcept {
    for (connection* one = bucket_of(of); one != nullptr; one = one->next_in_bucket_)
        if (one->flow_ == of)
            return one;
    return nullptr;
}

void engine::insert(connection& one) {
    if (count_ >= 2 * buckets_.size()) {
        std::vector<connection*> old(4 * buckets_.size());
        old.swap(buckets_);
        for (connection* each : old)
            while (each != nullptr) {
                connection* const next = each->next_in_bucket_;
                connection*& first = bucket_of(each->flow_);
                each->next_in_bucket_ = std::exchange(first, each);
                each = next;
            }
    }
    connection*& first = bucket_of(one.flow_);
    one.next_in_bucket_ = std::exchange(first, &one);
    ++count_;
}

void engine::remove(connection& one) noexcept {
    connection** at = &bucket_of(one.flow_);
    while (*at != &one)
        at = &(*at)->next_in_bucket_;
    *at = one.next_in_bucket_;
    --count_;
}

listener* engine::find_listener(const endpoint& local) noexcept {
    listener* any = nullptr;
    for (const auto& one : listeners_) {
        if (one->local_.port != local.port)
            continue;
        if (one->local_.address == local.address)
            return one.get();
        if (one->local_.address.is_unspecified())
            any = one.get();
    }
    return any;
}

result<connection*> engine::make(const flow& ends, const connection_options& how) {
    if (count_ >= settings_.connections) {
        ++counters_.limit_reached;
        return tcp_failure(std::errc::no_buffer_space, "make a TCP connection with", ends.remote);
    }
    auto* const made = new (std::nothrow) connection{*this, ends, how};
    if (made == nullptr)
        return tcp_failure(std::errc::not_enough_memory, "make a TCP connection with", ends.remote);
    insert(*made);
    return made;
}

result<connection*> engine::connect(flow ends, const connection_options& how) {
    const auto is_free = [&] {
        return find(ends) == nullptr && half_open_.find(ends) == nullptr && time_waits_.find(ends) == nullptr;
    };
    if (ends.local.port == 0) {
        constexpr std::uint16_t first = 49152, count = 65535 - first + 1;  // [rfc6335 6]
        const auto begin = static_cast<std::uint32_t>((network_.random() >> 32) % count);
        std::uint32_t tried = 0;
        do {
            if (tried == count)
                return tcp_failure(std::errc::address_in_use, "find a free port for a TCP connection with",
                                   ends.remote);
            ends.local.port = static_cast<std::uint16_t>(first + (begin + tried++) % count);
        } while (!is_free() || find_listener(ends.local) != nullptr);
    } else if (!is_free()) {
        return tcp_failure(std::errc::address_in_use, "make a TCP connection with", ends.remote);
    }
    const auto sizes = network_.sizes(ends);
    if (!sizes)
        return halvm::failure{sizes.error()};
    auto made = make(ends, how);
    if (!made)
        return made;
    ++counters_.opened;
    (*made)->open(*sizes);
    return made;
}

result<listener*> engine::listen(const endpoint& local, const connection_options& how, std::size_t backlog) {
    Expects(local.port != 0 && backlog != 0);
    for (const auto& one : listeners_)
        if (one->local_ == local)
            return tcp_failure(std::errc::address_in_use, "listen at", local);
    listeners_.push_back(std::unique_ptr<listener>{new listener{local, how, backlog}});
    return listeners_.back().get();
}

void engine::release(connection& one) {
    one.release();
    reap(one);
}

bool engine::is_drained() const noexcept {
    for (const connection* one : buckets_)
        for (; one != nullptr; one = one->next_in_bucket_)
            if (one->released_ && one->is_open() && !one->is_drained())
                return false;
    return true;
}

void engine::release(listener& one) {
    half_open_.for_each([&](half_open_entry& each) {
        if (each.to == &one)
            drop(each);
    });
    while (connection* const waiting = one.accept()) {
        waiting->abort();
        release(*waiting);
    }
    const auto found =
        std::find_if(listeners_.begin(), listeners_.end(), [&](const auto& each) { return each.get() == &one; });
    listeners_.erase(found);
}

void engine::await_room(connection& one) noexcept {
    if (!one.queue_hook_.is_linked())
        without_room_.push_back(one);
}

void engine::resume() {
    connection_queue waiting;
    waiting.swap(without_room_);
    while (!waiting.empty()) {
        connection& one = waiting.front();
        waiting.pop_front();
        one.output();
    }
}

void engine::ended(connection& one) noexcept {
    if (one.queue_hook_.is_linked() && one.waits_at_ == nullptr)
        without_room_.erase(without_room_.iterator_to(one));
    if (one.pending())
        wheel_.cancel(one);
    remove(one);
    ++counters_.closed;
    // One that nobody has accepted has no user who would let go of it.
    if (one.waits_at_ != nullptr && one.received_.readable() == 0) {
        listener& at = *std::exchange(one.waits_at_, nullptr);
        at.queue_.erase(at.queue_.iterator_to(one));
        one.released_ = true;
    }
}

void engine::reap(connection& one) noexcept {
    if (one.is_finished())
        delete &one;
}

void engine::wait_out(connection& one) {
    if (time_waits_.full()) {
        ++counters_.time_waits_cut;
        time_waits_.erase(time_waits_.least_recent());
    }
    time_wait_entry& entry = time_waits_.insert(one.flow_);
    time_waits_.touch(entry);
    entry.next = one.next_;
    entry.receive = one.receive_next();
    entry.stamped = one.stamped_;
    entry.peer_stamp = one.stamp_recent_;
    entry.stamp_offset = one.stamp_offset_;
    entry.ends = now() + rtt_estimator::nanoseconds(settings_.time_wait);
    if (!time_wait_alarm_.pending())
        set_timer(time_wait_alarm_, entry.ends);
    one.state_ = state::time_wait;
    one.sent_.clear();
    one.recovery_.forget(one.una_);
    one.received_.drop_ahead();
    ended(one);
    one.tell();
}

void engine::time_wait_due() noexcept {
    while (time_waits_.size() != 0 && time_waits_.least_recent().ends <= now())
        time_waits_.erase(time_waits_.least_recent());
    if (time_waits_.size() != 0)
        set_timer(time_wait_alarm_, time_waits_.least_recent().ends);
}

void engine::reset(const flow& way, const wire::tcp_header& to, std::size_t size) {
    if (to.is_rst)
        return;
    if (is_limited(resets_, settings_.resets_per_second)) {
        ++counters_.resets_limited;
        return;
    }
    // [rfc9293 3.10.7.1]
    outgoing what;
    what.header.source_port = way.local.port;
    what.header.destination_port = way.remote.port;
    what.header.is_rst = true;
    if (to.acknowledgment) {
        what.header.sequence = *to.acknowledgment;
    } else {
        what.header.sequence = tcp_sequence{0};
        what.header.acknowledgment =
            to.sequence + static_cast<std::uint32_t>(size) + (to.is_syn ? 1u : 0u) + (to.is_fin ? 1u : 0u);
    }
    ++counters_.resets_sent;
    ++counters_.sent;
    network_.send(way, what, nullptr);
}

void engine::receive(const flow& way, const wire::tcp_header& header, payload_view data) {
    ++counters_.received;
    if (connection* const one = find(way)) {
        one->arrive(header, data);
        return reap(*one);
    }
    if (half_open_entry* const one = half_open_.find(way); one != nullptr && receive_half_open(*one, way, header, data))
        return;
    if (time_wait_entry* const one = time_waits_.find(way);
        one != nullptr && receive_time_wait(*one, way, header, data))
        return;
    if (listener* const at = find_listener(way.local); at != nullptr && !header.is_rst) {
        // [rfc9293 3.10.7.2]
        if (header.acknowledgment) {
            if (!header.is_syn && receive_cookie(*at, way, header, data))
                return;
        } else {
            if (header.is_syn)
                receive_syn(*at, way, header);
            return;
        }
    }
    if (!header.is_rst)
        ++counters_.refused;
    reset(way, header, data.size());
}

void engine::unreachable(const flow& way, tcp_sequence quoted, std::errc why, bool is_hard) {
    if (connection* const one = find(way)) {
        one->unreachable(why, is_hard, quoted);
        reap(*one);
    }
}

void engine::path_narrowed(const flow& way, tcp_sequence quoted) {
    connection* const one = find(way);
    if (one == nullptr)
        return;
    if (const auto sizes = network_.sizes(way))
        one->path_narrowed(quoted, sizes->send);
    reap(*one);
}

}  // namespace halvm::net::tcp
