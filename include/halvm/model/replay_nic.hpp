// SPDX-License-Identifier: BSD-3-Clause
// A NIC whose other side is a capture: what was captured is received, and what is sent goes nowhere.
#pragma once

#include <halvm/contract.hpp>
#include <halvm/device/nic.hpp>
#include <halvm/device/packet_pool.hpp>
#include <halvm/fiber/clock.hpp>
#include <halvm/fiber/errors.hpp>
#include <halvm/net/pcap.hpp>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <system_error>
#include <utility>

namespace halvm::model {

struct replay_options {
    mac_address mac{{2, 0, 0, 0, 0, 1}};
    std::uint32_t mtu = 1500;
    bool paced =
        false;  ///< let as much time pass between two frames as when they were captured, on the scheduler's clock
    packet_pool_shape memory{.large = 2048, .large_count = 256, .small_count = 256};
};

class replay_nic {
public:
    /// `file` outlives the NIC. Errors: those of pcap_reader::parse(); net::wire_errc::bad_type for a capture of
    /// something else than Ethernet; std::errc::not_enough_memory.
    static result<replay_nic> open(const_bytes file, const replay_options& options = {}) {
        auto reader = net::pcap_reader::parse(file);
        if (!reader)
            return failure(reader.error());
        if (reader->link() != net::pcap_link::ethernet)
            return net::wire_failure(net::wire_errc::bad_type, "replay a capture that is not of Ethernet");
        auto pool = packet_pool::make(options.memory);
        if (!pool)
            return failure(pool.error());
        return replay_nic{std::make_shared<state>(options, *reader, std::move(*pool))};
    }
    replay_nic(replay_nic&&) noexcept = default;
    replay_nic& operator=(replay_nic&& other) noexcept {
        std::swap(state_, other.state_);
        return *this;
    }
    ~replay_nic() {
        if (state_ == nullptr)
            return;
        state_->open = false;
        fiber::this_scheduler().signal_all(state_->waiting);
    }

    [[nodiscard]] nic_info info() const noexcept {
        return {.mac = state_->options.mac, .mtu = state_->options.mtu, .most_pieces = 64};
    }
    [[nodiscard]] nic_statistics statistics() const noexcept { return state_->statistics; }
    result<packet> allocate(std::size_t size) noexcept { return state_->pool.allocate(size); }

    /// Errors: as every NIC's, std::errc::no_such_device at the end of the capture, and those of pcap_reader::next().
    result<std::size_t> receive(std::span<packet> frames, std::stop_token stop) {
        Expects(!frames.empty());
        const auto kept = state_;
        state& own = *kept;
        std::size_t count = 0;
        while (count != frames.size()) {
            if (!own.next) {
                auto read = own.reader.next();
                if (!read)
                    return count != 0 ? result<std::size_t>{count} : failure(read.error());
                own.next = *read;
            }
            if (!own.open || !own.next)
                return count != 0 ? result<std::size_t>{count} : gone();
            const auto due = own.due();
            if (due > fiber::this_scheduler().now()) {
                if (count != 0)
                    break;
                const auto how = fiber::this_scheduler().wait(own.waiting, fiber::wait_limit{due, stop});
                if (how == fiber::wake::stopped)
                    return fiber::detail::gave_up(how, "receive from a capture");
                continue;
            }
            count += own.give(frames[count]) ? 1U : 0U;
        }
        return count;
    }
    std::size_t try_transmit(std::span<packet> frames) noexcept {
        for (packet& frame : frames) {
            Expects(static_cast<bool>(frame));
            if (const auto refused = check(frame, info()))
                state_->statistics.transmitted.count(*refused);
            else
                state_->statistics.transmitted.count(frame);
            frame = {};
        }
        return frames.size();
    }
    result<void> transmit(std::span<packet> frames, std::stop_token) noexcept {
        try_transmit(frames);
        return {};
    }

private:
    struct state {
        state(const replay_options& given, const net::pcap_reader& from, packet_pool memory)
            : options{given}, reader{from}, pool{std::move(memory)} {}

        /// When the next frame is received. Pre: there is one.
        fiber::instant due() {
            if (!options.paced)
                return 0;
            if (!began) {
                began = fiber::this_scheduler().now();
                first = next->when;
            }
            const auto behind = std::max(next->when - first, std::chrono::nanoseconds{0});
            return *began + static_cast<fiber::instant>(behind.count());
        }
        bool give(packet& into) {
            const net::pcap_packet one = *std::exchange(next, std::nullopt);
            auto made = pool.allocate(one.data.size());
            if (!made) {
                statistics.received.count(frame_loss::no_memory);
                return false;
            }
            made->copy_in(0, one.data);
            made->set_arrival(std::chrono::nanoseconds{fiber::this_scheduler().now()});
            statistics.received.count(*made);
            into = std::move(*made);
            return true;
        }

        replay_options options;
        net::pcap_reader reader;
        packet_pool pool;
        nic_statistics statistics;
        std::optional<net::pcap_packet> next;
        std::optional<fiber::instant> began;
        net::capture_time first{};
        fiber::wait_queue waiting{"the next frame of a capture"};
        bool open = true;
    };

    explicit replay_nic(std::shared_ptr<state> made) noexcept : state_{std::move(made)} {}
    static failure gone() noexcept {
        return failure(error{std::make_error_code(std::errc::no_such_device), "receive from a capture"});
    }

    std::shared_ptr<state> state_;
};
static_assert(NIC<replay_nic>);

}  // namespace halvm::model
