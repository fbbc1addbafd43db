// SPDX-License-Identifier: BSD-3-Clause
// Two engines on a link that loses, doubles and delays, in virtual time: what goes in on one side must come out on the
// other, byte by byte, and both must end. The same seed gives the same run.
#pragma once

#include "tcp_link.hpp"

#include <map>

namespace halvm::test {

class tcp_schedule {
public:
    explicit tcp_schedule(std::uint64_t seed) : random_{seed}, ends_{end{*this, 0}, end{*this, 1}} {
        const auto pick = [this](auto... choices) {
            const std::array all{choices...};
            return all[below(all.size())];
        };
        for (end& one : ends_) {
            tcp::settings how;
            how.timestamps = below(4) != 0;
            how.selective_acks = below(4) != 0;
            how.window_scale = below(4) != 0;
            how.receive_buffer = pick(3000u, 20'000u, 65'536u);
            how.send_buffer = pick(3000u, 20'000u, 65'536u);
            // Who has ended waits for as long as a peer may try to tell that it has, too.
            how.time_wait = 20min;
            how.half_open = 4;
            how.memory = pick(128 * 1024u, 1024 * 1024u);
            one.options.no_delay = below(2) == 0;
            one.options.congestion =
                below(2) == 0 ? tcp::congestion_algorithm::cubic : tcp::congestion_algorithm::new_reno;
            one.network.sizes_ = {static_cast<std::uint16_t>(pick(536, 1000, 1460)), 1460};
            one.network.longest_ = pick(1u, 20'000u);
            one.network.clock = &time;
            one.how = how;
            one.to_send = pick(0u, 1u, 3000u, 60'000u, 200'000u);
            one.reads_slowly = below(5) == 0;
            one.engine.emplace(one.how, one.network, one.counters);
        }
        loss_ = pick(0u, 0u, 10u, 50u, 150u);  // of 1000
        doubled_ = pick(0u, 0u, 30u);
        reordered_ = pick(0u, 20u, 200u);
        delay_ = pick(20'000u, 1'000'000u, 30'000'000u);
        both_open_ = below(8) == 0;
    }

    /// Whether all has come, and both have ended.
    bool run() {
        const tcp::flow way{{here, 1000}, {there, 2000}};
        ends_[0].use(ends_[0].engine->connect(way, ends_[0].options).value());
        if (both_open_)
            ends_[1].use(ends_[1].engine->connect({way.remote, way.local}, ends_[1].options).value());
        else
            ends_[1].listener = ends_[1].engine->listen({{}, 2000}, ends_[1].options, 4).value();
        const fiber::instant last = time + 3'000'000'000'000;
        while (time < last) {
            bool goes_on = true;
            while (goes_on) {
                goes_on = false;
                for (end& one : ends_)
                    goes_on = one.step() || goes_on;
            }
            if (ends_[0].is_done() && ends_[1].is_done())
                break;
            fiber::instant next = std::min(ends_[0].engine->deadline(), ends_[1].engine->deadline());
            if (!under_way_.empty())
                next = std::min(next, under_way_.begin()->first);
            for (end& one : ends_)
                next = std::min(next, one.reads_at);
            if (next == fiber::never)
                break;
            time = std::max(time, next);
            while (!under_way_.empty() && under_way_.begin()->first <= time) {
                auto [to, segment] = std::move(under_way_.begin()->second);
                under_way_.erase(under_way_.begin());
                if (trace)
                    trace(time, to, segment, false);
                ends_[to].engine->receive({segment.way.remote, segment.way.local}, segment.header,
                                          const_bytes{segment.data});
            }
            for (end& one : ends_)
                if (one.engine->deadline() <= time)
                    one.engine->advance();
        }
        bool good = true;
        for (end& one : ends_) {
            good = good && one.is_done() && one.failure == std::errc{} &&
                   one.received == ends_[1 - one.number].to_send && !one.was_wrong;
            if (one.connection != nullptr) {
                one.state = one.connection->now();
                one.engine->release(*std::exchange(one.connection, nullptr));
            }
            if (one.listener != nullptr)
                one.engine->release(*one.listener);
        }
        // What is left to do is done without a user; then nothing is held.
        under_way_.clear();
        for (int i = 0; i < 2; ++i)
            for (end& one : ends_) {
                time += 4'000'000'000'000;
                one.engine->advance();
                under_way_.clear();
                good = good && (i == 0 || (one.engine->store().used() == 0 && one.engine->connections() == 0 &&
                                           one.engine->time_waits() == 0 && one.engine->half_open() == 0));
            }
        return good;
    }

    std::string description() const {
        std::string text;
        for (const end& one : ends_)
            text += "sends " + std::to_string(one.to_send) + " wrote " + std::to_string(one.written) + " received " +
                    std::to_string(one.received) + (one.was_wrong ? " WRONG" : "") + (one.done ? "" : " not done") +
                    " failure " + std::to_string(static_cast<int>(one.failure)) + " state " +
                    std::to_string(static_cast<int>(one.state)) + "; ";
        return text + "loss " + std::to_string(loss_) + " delay " + std::to_string(delay_) + " time " +
               std::to_string(time / 1'000'000) + " ms";
    }

    fiber::instant time = 1'000'000'000;
    std::function<void(fiber::instant, std::size_t, const tcp_segment&, bool)> trace;
    net::tcp_statistics counters(std::size_t number) const { return ends_[number].counters; }

private:
    struct end {
        end(tcp_schedule& own, std::size_t which) : in{own}, number{which}, network{own.random_() | 1} {
            network.on_send = [this](tcp_segment one) { in.carry(number, std::move(one)); };
        }
        end(end&& other) : end{other.in, other.number} {}

        static std::byte byte_at(std::size_t number, std::size_t at) {
            return static_cast<std::byte>((at * 2654435761u + number * 97) >> 13);
        }
        void use(tcp::connection* one) { connection = one; }
        [[nodiscard]] bool is_done() {
            return done = done || (was_ended && connection != nullptr && connection->is_drained() && has_end);
        }
        /// What a program would do. Whether it did something.
        bool step() {
            if (connection == nullptr && listener != nullptr)
                connection = listener->accept();
            if (connection == nullptr)
                return false;
            bool did = false;
            failure = connection->failure();
            if (connection->can_send() && written < to_send) {
                octets piece(std::min<std::size_t>(to_send - written, 1 + in.below(9000)));
                for (std::size_t i = 0; i < piece.size(); ++i)
                    piece[i] = byte_at(number, written + i);
                const std::size_t taken = connection->write(const_bytes{piece});
                written += taken;
                did = taken != 0;
            }
            if (written == to_send && !was_ended && connection->can_send() &&
                (written != 0 || !connection->is_connecting())) {
                connection->shutdown();
                was_ended = did = true;
            }
            if (reads_at != fiber::never && in.time >= reads_at)
                reads_at = fiber::never;
            if (reads_at == fiber::never && connection->readable() != 0) {
                octets into(1 + in.below(5000));
                const std::size_t size = connection->read(into);
                for (std::size_t i = 0; i < size; ++i)
                    was_wrong = was_wrong || into[i] != byte_at(1 - number, received + i);
                received += size;
                did = did || size != 0;
                if (reads_slowly)
                    reads_at = in.time + 1 + in.below(300'000'000);
            }
            has_end = connection->is_at_end();
            return did;
        }

        tcp_schedule& in;
        std::size_t number;
        tcp_network network;
        tcp::settings how;
        tcp::connection_options options;
        net::tcp_statistics counters;
        std::optional<tcp::engine> engine;
        tcp::connection* connection = nullptr;
        tcp::listener* listener = nullptr;
        std::size_t to_send = 0;
        std::size_t written = 0;
        std::size_t received = 0;
        fiber::instant reads_at = fiber::never;
        std::errc failure{};
        tcp::state state{};
        bool reads_slowly = false;
        bool was_wrong = false;
        bool was_ended = false;
        bool has_end = false;
        bool done = false;
    };

    std::uint32_t below(std::size_t count) { return static_cast<std::uint32_t>(random_() % count); }
    void carry(std::size_t from, tcp_segment one) {
        if (trace)
            trace(time, from, one, true);
        unsigned copies = below(1000) < loss_ ? 0 : 1;
        if (copies != 0 && below(1000) < doubled_)
            ++copies;
        for (; copies != 0; --copies) {
            fiber::instant delay = delay_;
            if (below(1000) < reordered_)
                delay += below(4 * delay_);
            under_way_.emplace(time + delay, std::pair{1 - from, one});
        }
    }

    std::mt19937_64 random_;
    std::multimap<fiber::instant, std::pair<std::size_t, tcp_segment>> under_way_;
    std::array<end, 2> ends_;
    unsigned loss_ = 0;
    unsigned doubled_ = 0;
    unsigned reordered_ = 0;
    std::uint32_t delay_ = 0;
    bool both_open_ = false;
};

}  // namespace halvm::test
