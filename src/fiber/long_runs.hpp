// SPDX-License-Identifier: BSD-3-Clause
// Names fibers that ran too long. What a machine does besides, about one that never gives way, it adds to this.
#pragma once

#include <halvm/fiber/scheduler.hpp>

namespace halvm::fiber {

class long_runs : public watcher {
public:
    /// Names, when it gives way, each fiber that ran longer than `limit` nanoseconds at a stretch.
    void start(instant limit) noexcept {
        limit_ = limit;
        since_ = this_scheduler().now();
        this_scheduler().watch(this);
    }
    /// Harmless when it was not started.
    void stop() noexcept;

    void stretch_ends(const task& one) noexcept override;
    void idle_begins(instant) noexcept override {}
    /// The time in which nobody could run is nobody's.
    void idle_ends() noexcept override { since_ = this_scheduler().now(); }

    [[nodiscard]] instant limit() const noexcept { return limit_; }
    /// When the fiber that runs began to.
    [[nodiscard]] instant since() const noexcept { return since_; }

protected:
    ~long_runs() = default;

private:
    instant limit_ = 0;
    instant since_ = 0;
};

}  // namespace halvm::fiber
