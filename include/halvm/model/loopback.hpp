// SPDX-License-Identifier: BSD-3-Clause
// Two NICs joined by a cable. A frame that goes into one comes out of the other, in other memory, as it would from
// another machine.
#pragma once

#include <halvm/contract.hpp>
#include <halvm/device/nic.hpp>
#include <halvm/device/packet_pool.hpp>
#include <halvm/fiber/clock.hpp>
#include <halvm/fiber/errors.hpp>
#include <halvm/fiber/scheduler.hpp>
#include <halvm/net/offload.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <system_error>
#include <utility>
#include <vector>

namespace halvm::model {

struct loopback_options {
    std::array<mac_address, 2> macs{mac_address{{2, 0, 0, 0, 0, 1}}, mac_address{{2, 0, 0, 0, 0, 2}}};
    std::uint32_t mtu = 1500;
    std::uint32_t most_pieces = 18;
    nic_offloads transmit{};  ///< what both ends do for a sender; for a receiver that does not take it, in software
    nic_offloads receive{};   ///< what both take as it was sent
    bool verifies = false;    ///< says of whole checksums that they were verified
    std::size_t queue = 256;  ///< frames on their way in each direction
    bool drops = false;       ///< what finds the queue full: drop it, as a switch does, and do not let the sender wait
    packet_pool_shape memory{.large = 2048, .large_count = 512, .small_count = 512};  ///< of each end
};

/// One end. When the other is destroyed, it loses its link.
class loopback_nic {
public:
    /// Errors: std::errc::not_enough_memory.
    static result<std::pair<loopback_nic, loopback_nic>> make_pair(const loopback_options& options = {}) {
        std::array<std::optional<packet_pool>, 2> pools;
        for (auto& pool : pools) {
            auto made = packet_pool::make(options.memory);
            if (!made)
                return failure(made.error());
            pool = std::move(*made);
        }
        auto both = std::make_shared<cable>(options, std::move(*pools[0]), std::move(*pools[1]));
        return std::pair{loopback_nic{both, 0}, loopback_nic{both, 1}};
    }
    loopback_nic(loopback_nic&&) noexcept = default;
    loopback_nic& operator=(loopback_nic&& other) noexcept {
        std::swap(cable_, other.cable_);
        std::swap(side_, other.side_);
        return *this;
    }
    ~loopback_nic() {
        if (cable_ == nullptr)
            return;
        end& own = here();
        own.open = false;
        own.inbox.clear();
        wake(own.receivers);
        wake(own.senders);
        set_link(false);
    }

    [[nodiscard]] nic_info info() const noexcept { return here().info; }
    [[nodiscard]] nic_statistics statistics() const noexcept { return here().statistics; }
    result<packet> allocate(std::size_t size) noexcept { return here().pool.allocate(size); }

    result<std::size_t> receive(std::span<packet> frames, std::stop_token stop) {
        Expects(!frames.empty());
        const auto kept = cable_;
        end& own = here();
        const std::uint64_t seen = own.changes;
        for (;;) {
            if (!own.open)
                return gone("receive from a NIC");
            if (own.told != own.changes || seen != own.changes) {
                own.told = own.changes;
                return 0;
            }
            if (!own.inbox.empty())
                return take(own, frames);
            const auto how = fiber::this_scheduler().wait(own.receivers, fiber::wait_limit{stop});
            if (how != fiber::wake::signalled)
                return fiber::detail::gave_up(how, "receive from a NIC");
        }
    }

    std::size_t try_transmit(std::span<packet> frames) {
        end& own = here();
        std::size_t taken = 0;
        for (; own.open && taken != frames.size(); ++taken) {
            packet& frame = frames[taken];
            Expects(static_cast<bool>(frame));
            if (const auto refused = check(frame, own.info)) {
                own.statistics.transmitted.count(*refused);
                frame = {};
                continue;
            }
            if (there().inbox.size() >= cable_->options.queue) {
                if (!cable_->options.drops)
                    break;
                there().statistics.received.count(frame_loss::no_room);
                own.statistics.transmitted.count(frame);
                frame = {};
                continue;
            }
            own.statistics.transmitted.count(frame);
            deliver(std::move(frame));
        }
        return taken;
    }

    result<void> transmit(std::span<packet> frames, std::stop_token stop) {
        const auto kept = cable_;
        end& own = here();
        for (;;) {
            if (!own.open)
                return gone("transmit through a NIC");
            frames = frames.subspan(try_transmit(frames));
            if (frames.empty())
                return {};
            const auto how = fiber::this_scheduler().wait(own.senders, fiber::wait_limit{stop});
            if (how != fiber::wake::signalled)
                return fiber::detail::gave_up(how, "transmit through a NIC");
        }
    }

    /// Both ends learn of it. What is on its way arrives. It stays down when one end is gone.
    void set_link(bool up) noexcept {
        const bool both = cable_->ends[0].open && cable_->ends[1].open;
        change([up = up && both](nic_info& info) { info.link_up = up; });
        for (end& one : cable_->ends)
            wake(one.senders);
    }
    void set_mtu(std::uint32_t mtu) noexcept {
        change([mtu](nic_info& info) { info.mtu = mtu; });
    }
    /// What of this end's memory is not in use.
    [[nodiscard]] packet_pool_counts idle() const noexcept { return here().pool.idle(); }

private:
    /// Allocates only to hold more than it ever has.
    class frame_queue {
    public:
        [[nodiscard]] std::size_t size() const noexcept { return frames_.size() - first_; }
        [[nodiscard]] bool empty() const noexcept { return size() == 0; }
        void push_back(packet one) {
            if (frames_.size() == frames_.capacity() && 2 * first_ >= frames_.size()) {
                frames_.erase(frames_.begin(), frames_.begin() + static_cast<std::ptrdiff_t>(first_));
                first_ = 0;
            }
            frames_.push_back(std::move(one));
        }
        /// Pre: it is not empty.
        packet pop_front() noexcept {
            packet one = std::move(frames_[first_++]);
            if (empty())
                clear();
            return one;
        }
        void clear() noexcept {
            frames_.clear();
            first_ = 0;
        }

    private:
        std::vector<packet> frames_;
        std::size_t first_ = 0;
    };

    struct end {
        end(const loopback_options& options, const mac_address& mac, packet_pool memory)
            : info{.mac = mac,
                   .mtu = options.mtu,
                   .most_pieces = options.most_pieces,
                   .transmit = options.transmit,
                   .receive = options.receive},
              pool{std::move(memory)} {}

        nic_info info;
        nic_statistics statistics;
        packet_pool pool;
        frame_queue inbox;
        fiber::wait_queue receivers{"a frame from a cable"};
        fiber::wait_queue senders{"room on a cable"};
        std::uint64_t changes = 0;
        std::uint64_t told = 0;
        bool open = true;
    };
    struct cable {
        cable(const loopback_options& given, packet_pool first, packet_pool second)
            : options{given},
              ends{end{given, given.macs[0], std::move(first)}, end{given, given.macs[1], std::move(second)}} {}

        loopback_options options;
        std::array<end, 2> ends;
    };

    loopback_nic(std::shared_ptr<cable> of, std::size_t side) noexcept : cable_{std::move(of)}, side_{side} {}

    [[nodiscard]] end& here() const noexcept { return cable_->ends[side_]; }
    [[nodiscard]] end& there() const noexcept { return cable_->ends[1 - side_]; }

    static void wake(fiber::wait_queue& waiting) noexcept { fiber::this_scheduler().signal_all(waiting); }
    static failure gone(const char* attempted) noexcept {
        return failure(error{std::make_error_code(std::errc::no_such_device), attempted});
    }

    template <class Change>
    void change(Change change) noexcept {
        for (end& one : cable_->ends) {
            const nic_info before = one.info;
            change(one.info);
            if (one.info == before)
                continue;
            ++one.changes;
            wake(one.receivers);
        }
    }

    std::size_t take(end& own, std::span<packet> frames) noexcept {
        std::size_t count = 0;
        for (; count != frames.size() && !own.inbox.empty(); ++count)
            frames[count] = own.inbox.pop_front();
        wake(there().senders);
        return count;
    }

    /// What this end did not take was a loss on the other's side.
    void deliver(packet frame) {
        end& to = there();
        const bool whole =
            frame.metadata().segmentation == packet_segmentation::none || net::takes_joined(to.info, frame);
        if (whole)
            arrive(to, std::move(frame));
        else if (!net::segment(std::move(frame), [&](packet one) { arrive(to, std::move(one)); }))
            to.statistics.received.count(frame_loss::no_memory);
    }

    void arrive(end& to, packet frame) {
        if (!net::takes_blank(to.info, frame) && !net::fill_in_checksum(frame))
            return to.statistics.received.count(frame_loss::no_memory);
        auto copy = to.pool.allocate(frame.size());
        if (!copy)
            return to.statistics.received.count(frame_loss::no_memory);
        std::size_t at = 0;
        for (const bytes piece : copy->pieces()) {
            frame.copy_out(at, piece);
            at += piece.size();
        }
        copy->metadata() = frame.metadata();
        copy->metadata().queue = 0;
        if (cable_->options.verifies && copy->metadata().checksum == packet_checksum::present)
            copy->metadata().checksum = packet_checksum::verified;
        copy->set_arrival(fiber::clock::now().time_since_epoch());
        to.statistics.received.count(*copy);
        to.inbox.push_back(std::move(*copy));
        fiber::this_scheduler().signal(to.receivers);
    }

    std::shared_ptr<cable> cable_;
    std::size_t side_ = 0;
};
static_assert(NIC<loopback_nic>);

}  // namespace halvm::model
