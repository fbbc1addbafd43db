// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/net/tcp/congestion.hpp>

#include <algorithm>
#include <cmath>

namespace halvm::net::tcp {
namespace {

// [rfc9438 4.6, 5]
constexpr float c = 0.4f, beta = 0.7f, alpha = 3 * (1 - beta) / (1 + beta);

float seconds(std::uint64_t nanoseconds) noexcept { return static_cast<float>(nanoseconds) * 1e-9f; }

}  // namespace

void cubic::begin_epoch(instant now) noexcept {
    epoch_ = now;
    const float window = static_cast<float>(window_) / mss_;
    estimate_ = window;
    part_ = 0;
    if (window >= peak_) {
        // After slow start without a loss there is no peak but here [rfc9438 4.10].
        peak_ = window;
        k_ = 0;
    } else {
        k_ = std::cbrt((peak_ - window) / c);
    }
}

void cubic::on_acknowledged(const acknowledged& what) noexcept {
    if (!what.used_up) {
        // Time in which the window was not used is none in which it may have grown [rfc9438 5.8].
        if (epoch_ != 0)
            last_ = what.now;
        return;
    }
    const std::uint32_t size = slow_start(what.size);
    if (size == 0)
        return;
    if (epoch_ == 0)
        begin_epoch(what.now);
    if (last_ != 0) {
        epoch_ = std::max(epoch_, last_);
        last_ = 0;
    }
    const float window = static_cast<float>(window_) / mss_;
    const float acked = static_cast<float>(size) / mss_;
    const float time = seconds(what.now - epoch_);
    const auto curve = [&](float at) { return c * (at - k_) * (at - k_) * (at - k_) + peak_; };
    estimate_ += (estimate_ >= before_ ? 1.0f : alpha) * acked / window;
    if (curve(time) < estimate_) {
        if (estimate_ > window)
            part_ += estimate_ - window;
    } else {
        const float target = std::clamp(curve(time + seconds(what.smoothed_rtt)), window, 1.5f * window);
        part_ += (target - window) / window * acked;
    }
    const float whole = std::floor(std::min(part_, window / 2));
    if (whole >= 1) {
        part_ -= whole;
        grow(static_cast<std::uint32_t>(whole) * mss_);
    } else if (curve(time) < estimate_) {
        // It is the estimate that keeps account of parts here.
        part_ = 0;
    }
}

void cubic::remember_peak(std::uint32_t in_flight) noexcept {
    const float window = static_cast<float>(window_) / mss_;
    // Makes room for others that come [rfc9438 4.7].
    peak_ = window < peak_ ? window * (1 + beta) / 2 : window;
    before_ = window;
    epoch_ = 0;
    last_ = 0;
    reduce_to(static_cast<std::uint32_t>(static_cast<float>(in_flight) * beta));
}

void cubic::on_loss(std::uint32_t in_flight, instant) noexcept { remember_peak(in_flight); }

void cubic::on_timeout(std::uint32_t in_flight, bool first, instant) noexcept {
    if (first)
        remember_peak(in_flight);
    epoch_ = 0;
    window_ = mss_;
}

}  // namespace halvm::net::tcp
