// SPDX-License-Identifier: BSD-3-Clause
// A decorator that makes of a NIC's way out a bad network: frames are lost, doubled, damaged, late and out of their
// order, and no faster than a line. All of it follows from a seed, on the scheduler's clock. For both directions, the
// NICs at both ends get one.
#pragma once

#include <halvm/contract.hpp>
#include <halvm/device/nic.hpp>
#include <halvm/fiber/clock.hpp>
#include <halvm/fiber/errors.hpp>
#include <halvm/fiber/spawn.hpp>
#include <halvm/net/offload.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <stop_token>
#include <system_error>
#include <utility>

namespace halvm::model {

/// Shares are of frames as they go over a wire, 0 to 1.
struct nic_fault_plan {
    std::uint64_t seed = 1;
    double lost = 0;
    double doubled = 0;
    double damaged = 0;    ///< one bit behind the Ethernet header is turned over
    double reordered = 0;  ///< kept back by `reorder_delay` while others go on
    std::chrono::nanoseconds reorder_delay{1'000'000};
    std::chrono::nanoseconds least_delay{0};  ///< without a change of order
    std::chrono::nanoseconds most_delay{0};
    std::uint64_t bits_per_second = 0;  ///< 0: no limit
    std::size_t queue = 256;            ///< frames on their way; what is more is lost with a limit, and else waits

    [[nodiscard]] bool takes_time() const noexcept {
        return most_delay.count() > 0 || bits_per_second != 0 || reordered > 0;
    }
};

struct nic_fault_counts {
    std::uint64_t sent = 0;  ///< frames that went on
    std::uint64_t lost = 0;
    std::uint64_t doubled = 0;
    std::uint64_t damaged = 0;
    std::uint64_t reordered = 0;
    std::uint64_t overflowed = 0;  ///< lost for want of room in the queue

    friend bool operator==(const nic_fault_counts&, const nic_fault_counts&) = default;
};

/// What is to be segmented becomes segments first, because a network loses those.
template <NIC Inner>
class faulty_nic {
public:
    faulty_nic(Inner inner, const nic_fault_plan& plan) : state_{std::make_shared<state>(std::move(inner), plan)} {
        state_->courier = fiber::spawn([&own = *state_] { own.carry(); }, {.name = "bad network", .service = true});
    }
    faulty_nic(faulty_nic&&) noexcept = default;
    faulty_nic& operator=(faulty_nic&& other) noexcept {
        std::swap(state_, other.state_);
        return *this;
    }
    ~faulty_nic() {
        if (state_ != nullptr)
            state_->end();
    }

    [[nodiscard]] nic_info info() const noexcept { return state_->inner->info(); }
    [[nodiscard]] nic_statistics statistics() const noexcept { return state_->inner->statistics(); }
    [[nodiscard]] const nic_fault_counts& counts() const noexcept { return state_->counts; }
    result<packet> allocate(std::size_t size) { return state_->inner->allocate(size); }

    result<std::size_t> receive(std::span<packet> frames, std::stop_token stop) {
        const auto kept = state_;
        return kept->inner->receive(frames, std::move(stop));
    }
    std::size_t try_transmit(std::span<packet> frames) { return state_->take(frames); }
    result<void> transmit(std::span<packet> frames, std::stop_token stop) {
        constexpr const char* attempted = "transmit into a bad network";
        const auto kept = state_;
        for (;;) {
            if (kept->broken)
                return failure(error{kept->broken, attempted});
            frames = frames.subspan(kept->take(frames));
            if (frames.empty())
                return {};
            const auto how = fiber::this_scheduler().wait(kept->room, fiber::wait_limit{stop});
            if (how != fiber::wake::signalled)
                return fiber::detail::gave_up(how, attempted);
        }
    }

    [[nodiscard]] Inner& inner() noexcept { return *state_->inner; }

private:
    struct state {
        state(Inner of, const nic_fault_plan& given) : inner{std::move(of)}, plan{given}, random{given.seed} {}

        void end() noexcept {
            broken = std::make_error_code(std::errc::no_such_device);
            stopping.request_stop();
            courier.join();
            inner.reset();
            waiting.clear();
            fiber::this_scheduler().signal_all(room);
        }

        std::size_t take(std::span<packet> frames) {
            std::size_t taken = 0;
            for (; !broken && taken != frames.size(); ++taken) {
                if (!plan.takes_time() && waiting.size() >= plan.queue)
                    break;
                packet frame = std::move(frames[taken]);
                Expects(static_cast<bool>(frame));
                // What the inner NIC refuses is its affair, and its count.
                if (check(frame, inner->info()))
                    static_cast<void>(inner->try_transmit({&frame, 1}));
                else
                    static_cast<void>(net::segment(std::move(frame), [this](packet one) { spoil(std::move(one)); }));
            }
            return taken;
        }

        void spoil(packet frame) {
            const auto happens = [this](double share) {
                return share > 0 && std::bernoulli_distribution{share}(random);
            };
            if (happens(plan.lost)) {
                ++counts.lost;
                return;
            }
            if (happens(plan.doubled))
                if (auto copy = frame.clone()) {
                    ++counts.doubled;
                    put_in_time(std::move(*copy), false);
                }
            if (happens(plan.damaged)) {
                frame = damaged(frame);
                if (!frame)
                    return;
                ++counts.damaged;
            }
            const bool late = happens(plan.reordered);
            counts.reordered += late ? 1 : 0;
            put_in_time(std::move(frame), late);
        }

        /// A copy with one wrong bit; none when there is no memory. Its checksum stands there, so that it is wrong.
        packet damaged(packet& frame) {
            auto copy = inner->allocate(frame.size());
            if (!copy || !net::fill_in_checksum(frame))
                return {};
            std::size_t at = 0;
            for (const bytes piece : copy->pieces()) {
                frame.copy_out(at, piece);
                at += piece.size();
            }
            if (frame.size() > ethernet::header_size) {
                at = std::uniform_int_distribution<std::size_t>{ethernet::header_size, frame.size() - 1}(random);
                std::byte one{};
                copy->copy_out(at, {&one, 1});
                one ^= std::byte{1} << static_cast<int>(random() % 8);
                copy->copy_in(at, {&one, 1});
            }
            return std::move(*copy);
        }

        void put_in_time(packet frame, bool late) {
            using std::chrono::nanoseconds;
            if (plan.takes_time() && waiting.size() >= plan.queue) {
                ++counts.overflowed;
                return;
            }
            const fiber::instant now = fiber::this_scheduler().now();
            fiber::instant due = now;
            if (plan.bits_per_second != 0) {
                const double duration =
                    static_cast<double>(frame.size()) * 8e9 / static_cast<double>(plan.bits_per_second);
                line_free = std::max(line_free, now) + static_cast<fiber::instant>(duration);
                due = line_free;
            }
            if (plan.most_delay.count() > 0)
                due += static_cast<fiber::instant>(std::uniform_int_distribution<nanoseconds::rep>{
                    plan.least_delay.count(), plan.most_delay.count()}(random));
            if (late)
                due += static_cast<fiber::instant>(plan.reorder_delay.count());
            else
                due = last_due = std::max(due, last_due);
            put(std::move(frame), due);
        }

        void put(packet frame, fiber::instant due) {
            waiting.emplace(due, std::move(frame));
            fiber::this_scheduler().signal_all(work);
        }

        /// The courier: hands on what is due.
        void carry() {
            const auto stop = stopping.get_token();
            while (!stop.stop_requested()) {
                const auto first = waiting.begin();
                const fiber::instant due = first == waiting.end() ? fiber::never : first->first;
                if (due > fiber::this_scheduler().now()) {
                    fiber::this_scheduler().wait(work, fiber::wait_limit{due, stop});
                    continue;
                }
                packet frame = std::move(first->second);
                waiting.erase(first);
                fiber::this_scheduler().signal_all(room);
                ++counts.sent;
                if (auto sent = inner->transmit({&frame, 1}, stop); !sent && !stop.stop_requested()) {
                    broken = sent.error().code();
                    return;
                }
            }
        }

        std::optional<Inner> inner;
        nic_fault_plan plan;
        std::mt19937_64 random;
        nic_fault_counts counts;
        std::multimap<fiber::instant, packet> waiting;  // of one instant, in the order in which they came
        fiber::instant last_due = 0;
        fiber::instant line_free = 0;
        std::error_code broken;
        fiber::wait_queue work{"a frame for a bad network"};
        fiber::wait_queue room{"room in a bad network"};
        std::stop_source stopping;
        fiber::handle<void> courier;
    };

    std::shared_ptr<state> state_;
};

}  // namespace halvm::model
