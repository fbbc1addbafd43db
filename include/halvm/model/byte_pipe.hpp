// SPDX-License-Identifier: BSD-3-Clause
// Bytes one way, through memory of a fixed size: what lines and streams between two fibers are made of.
#pragma once

#include <halvm/bytes.hpp>
#include <halvm/contract.hpp>
#include <halvm/fiber/errors.hpp>
#include <halvm/fiber/scheduler.hpp>
#include <halvm/fiber/turn.hpp>
#include <halvm/result.hpp>

#include <algorithm>
#include <cstddef>
#include <vector>

namespace halvm::model {

class byte_pipe {
public:
    /// Holds `capacity` bytes on their way; a writer waits while they are not read.
    explicit byte_pipe(std::size_t capacity) : memory_(capacity) { Expects(capacity != 0); }

    /// Errors: std::errc::broken_pipe once it is closed; timed_out and operation_canceled by the limit.
    result<void> write(const_bytes out, const fiber::wait_limit& limit, const char* attempted) {
        if (out.empty())
            return {};
        const auto turn = fiber::take_turn(writing_, limit, attempted);
        if (!turn)
            return failure(turn.error());
        while (!out.empty()) {
            if (closed_)
                return fiber::detail::was_closed(attempted);
            const std::size_t count = std::min(out.size(), memory_.size() - used_);
            for (std::size_t i = 0; i < count; ++i)
                memory_[(first_ + used_++) % memory_.size()] = out[i];
            out = out.subspan(count);
            if (count != 0)
                fiber::this_scheduler().signal_all(readers_);
            else if (const auto how = fiber::this_scheduler().wait(writers_, limit); how != fiber::wake::signalled)
                return fiber::detail::gave_up(how, attempted);
        }
        return {};
    }

    /// 0 once it is closed and empty. Errors: timed_out and operation_canceled by the limit.
    result<std::size_t> read(bytes in, const fiber::wait_limit& limit, const char* attempted) {
        for (;;) {
            if (const std::size_t count = try_read(in); count != 0 || in.empty() || closed_)
                return count;
            if (const auto how = fiber::this_scheduler().wait(readers_, limit); how != fiber::wake::signalled)
                return fiber::detail::gave_up(how, attempted);
        }
    }
    std::size_t try_read(bytes in) noexcept {
        const std::size_t count = std::min(in.size(), used_);
        for (std::size_t i = 0; i < count; ++i)
            in[i] = memory_[(first_ + i) % memory_.size()];
        first_ = (first_ + count) % memory_.size();
        used_ -= count;
        if (count != 0)
            fiber::this_scheduler().signal_all(writers_);
        return count;
    }

    /// Nothing more goes in; what is in it can be read.
    void close() noexcept {
        closed_ = true;
        fiber::this_scheduler().signal_all(readers_);
        fiber::this_scheduler().signal_all(writers_);
    }

    [[nodiscard]] bool readable() const noexcept { return used_ != 0 || closed_; }
    [[nodiscard]] bool closed() const noexcept { return closed_; }
    [[nodiscard]] fiber::wait_queue& readers() noexcept { return readers_; }

private:
    std::vector<std::byte> memory_;
    std::size_t first_ = 0;
    std::size_t used_ = 0;
    bool closed_ = false;
    fiber::mutex writing_{};
    fiber::wait_queue readers_{"bytes in a pipe", true};
    fiber::wait_queue writers_{"room in a pipe", true};
};

}  // namespace halvm::model
