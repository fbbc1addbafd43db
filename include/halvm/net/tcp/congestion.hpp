// SPDX-License-Identifier: BSD-3-Clause
// How much of a path a sender uses: the concept, and the two algorithms that connections choose from.
// [rfc5681] [rfc9438]
//
// Slow start counts bytes, all that an acknowledgment covers: a receiver that joins segments acknowledges many at once,
// and one that splits its acknowledgments gains nothing. [rfc3465 2.2]
#pragma once

#include <halvm/fiber/timers.hpp>
#include <halvm/net/tcp/settings.hpp>

#include <concepts>
#include <cstdint>
#include <variant>

namespace halvm::net::tcp {

using fiber::instant;

/// New data was acknowledged.
struct acknowledged {
    std::uint32_t size = 0;
    instant now = 0;
    std::uint64_t smoothed_rtt = 0;  ///< nanoseconds; 0 when none was measured
    bool used_up = false;            ///< the window was what kept more from being sent: else it does not grow
};

template <class Algorithm>
concept CongestionControl = std::copyable<Algorithm> &&
    requires(Algorithm& control, const Algorithm& view, std::uint32_t bytes, std::uint16_t mss,
             const acknowledged& what, instant now) {
    // A path of which nothing is known, with a first window of so many bytes.
    control.start(mss, bytes);
    // Segments carry as many bytes from now on.
    control.change_mss(mss);
    // How many bytes may be on their way.
    { view.window() }
    noexcept->std::same_as<std::uint32_t>;
    { view.threshold() }
    noexcept->std::same_as<std::uint32_t>;
    // Not while losses are being recovered; but after a timeout.
    control.on_acknowledged(what);
    // Something was lost of so many bytes on their way; once for each window.
    control.on_loss(bytes, now);
    // Nothing came back for so long that the path may be another one; `first` of a row.
    control.on_timeout(bytes, true, now);
    // Nothing was sent for longer than a timeout [rfc5681 4.1].
    control.on_idle(now);
};

/// What both have: a window, a threshold, slow start.
class window_base {
public:
    void start(std::uint16_t mss, std::uint32_t first) noexcept {
        mss_ = mss;
        first_ = window_ = first;
        threshold_ = 0x7fff'ffff;
    }
    void change_mss(std::uint16_t mss) noexcept {
        mss_ = mss;
        window_ = std::max<std::uint32_t>(window_, mss);
    }
    [[nodiscard]] std::uint32_t window() const noexcept { return window_; }
    [[nodiscard]] std::uint32_t threshold() const noexcept { return threshold_; }
    [[nodiscard]] bool in_slow_start() const noexcept { return window_ < threshold_; }

protected:
    static constexpr std::uint32_t most_window = 1u << 30;
    void reduce_to(std::uint32_t size) noexcept {
        threshold_ = std::max<std::uint32_t>(size, 2u * mss_);
        window_ = threshold_;
    }
    void grow(std::uint32_t by) noexcept { window_ = std::min(window_ + by, most_window); }
    /// What is left for congestion avoidance.
    std::uint32_t slow_start(std::uint32_t size) noexcept {
        if (!in_slow_start())
            return size;
        const std::uint32_t taken = std::min(size, threshold_ - window_);
        grow(taken);
        return size - taken;
    }
    void restart() noexcept { window_ = std::min(window_, first_); }

    std::uint32_t window_ = 0;
    std::uint32_t threshold_ = 0;
    std::uint32_t first_ = 0;
    std::uint16_t mss_ = 536;
};

/// [rfc5681 3.1] [rfc6582]
class new_reno : public window_base {
public:
    void on_acknowledged(const acknowledged& what) noexcept {
        if (!what.used_up)
            return;
        counted_ += slow_start(what.size);
        while (counted_ >= window_ && window_ < most_window) {
            counted_ -= window_;
            grow(mss_);
        }
    }
    void on_loss(std::uint32_t in_flight, instant) noexcept {
        counted_ = 0;
        reduce_to(in_flight / 2);
    }
    void on_timeout(std::uint32_t in_flight, bool first, instant) noexcept {
        counted_ = 0;
        if (first)
            reduce_to(in_flight / 2);
        window_ = mss_;
    }
    void on_idle(instant) noexcept { restart(); }

private:
    std::uint32_t counted_ = 0;
};

/// [rfc9438]
class cubic : public window_base {
public:
    void on_acknowledged(const acknowledged& what) noexcept;
    void on_loss(std::uint32_t in_flight, instant now) noexcept;
    void on_timeout(std::uint32_t in_flight, bool first, instant now) noexcept;
    void on_idle(instant) noexcept {
        epoch_ = 0;
        restart();
    }

private:
    void begin_epoch(instant now) noexcept;
    void remember_peak(std::uint32_t in_flight) noexcept;

    // In segments and seconds, as the RFC has them.
    float peak_ = 0;      // W_max
    float k_ = 0;         // until the window is at the peak again
    float estimate_ = 0;  // W_est: what NewReno would have
    float before_ = 0;    // cwnd_prior
    float part_ = 0;      // of a segment, that the window is still to grow by
    instant epoch_ = 0;   // when this congestion avoidance began; 0 outside of it
    instant last_ = 0;    // when something was acknowledged that did not use the window up
};

static_assert(CongestionControl<new_reno> && CongestionControl<cubic>);

/// The one that a connection has chosen.
class congestion {
public:
    explicit congestion(congestion_algorithm which) noexcept {
        if (which == congestion_algorithm::new_reno)
            control_.emplace<new_reno>();
    }
    [[nodiscard]] std::uint32_t window() const noexcept {
        return std::visit([](const auto& one) { return one.window(); }, control_);
    }
    [[nodiscard]] std::uint32_t threshold() const noexcept {
        return std::visit([](const auto& one) { return one.threshold(); }, control_);
    }
    template <class Act>
    void apply(Act act) noexcept {
        std::visit(act, control_);
    }

private:
    std::variant<cubic, new_reno> control_;
};

}  // namespace halvm::net::tcp
