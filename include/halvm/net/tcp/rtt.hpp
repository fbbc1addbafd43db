// SPDX-License-Identifier: BSD-3-Clause
// How long an acknowledgment takes, and how long to wait for one. [rfc6298]
#pragma once

#include <halvm/fiber/timers.hpp>
#include <halvm/net/tcp/settings.hpp>

#include <algorithm>
#include <cstdint>

namespace halvm::net::tcp {

class rtt_estimator {
public:
    explicit rtt_estimator(const settings& how) noexcept : rto_{nanoseconds(how.first_rto)} {}

    /// A round trip of something that was sent once only [rfc6298 3].
    void sample(std::uint64_t took, const settings& how) noexcept {
        constexpr std::uint64_t granularity = 1'000'000;
        if (smoothed_ == 0) {
            smoothed_ = std::max<std::uint64_t>(took, 1);
            variation_ = took / 2;
        } else {
            const std::uint64_t away = took > smoothed_ ? took - smoothed_ : smoothed_ - took;
            variation_ = variation_ - variation_ / 4 + away / 4;
            smoothed_ = std::max<std::uint64_t>(smoothed_ - smoothed_ / 8 + took / 8, 1);
        }
        rto_ = std::clamp(smoothed_ + std::max(granularity, 4 * variation_), nanoseconds(how.least_rto),
                          nanoseconds(how.most_rto));
        doublings_ = 0;
    }
    /// The timer went off [rfc6298 5.5].
    void back_off() noexcept {
        if (doublings_ < 16)
            ++doublings_;
    }
    /// Something new was acknowledged.
    void progress() noexcept { doublings_ = 0; }
    /// The handshake took more than one try: nothing is known of the path [rfc6298 5.7].
    void be_careful() noexcept {
        if (smoothed_ == 0)
            rto_ = std::max<std::uint64_t>(rto_, 3'000'000'000);
        doublings_ = 0;
    }

    [[nodiscard]] std::uint64_t timeout(const settings& how) const noexcept {
        return std::min(rto_ << doublings_, nanoseconds(how.most_rto));
    }
    /// 0 when none was measured.
    [[nodiscard]] std::uint64_t smoothed() const noexcept { return smoothed_; }
    [[nodiscard]] std::uint64_t variation() const noexcept { return variation_; }
    [[nodiscard]] unsigned doublings() const noexcept { return doublings_; }

    static constexpr std::uint64_t nanoseconds(std::chrono::nanoseconds time) noexcept {
        return static_cast<std::uint64_t>(time.count());
    }

private:
    std::uint64_t smoothed_ = 0;
    std::uint64_t variation_ = 0;
    std::uint64_t rto_;
    std::uint8_t doublings_ = 0;
};

}  // namespace halvm::net::tcp
