// SPDX-License-Identifier: BSD-3-Clause
// Two consoles joined by a line: what is written at one end is read at the other, byte for byte. For tests of programs
// that talk to a console.
#pragma once

#include <halvm/bytes.hpp>
#include <halvm/contract.hpp>
#include <halvm/device/console.hpp>
#include <halvm/fiber/errors.hpp>
#include <halvm/fiber/scheduler.hpp>
#include <halvm/fiber/turn.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace halvm::model {

/// One end. When the other is destroyed, its input ends once it has read what had come.
class loopback_console {
public:
    /// Each direction holds `capacity` bytes on their way; a writer waits while they are not read.
    static std::pair<loopback_console, loopback_console> make_pair(std::size_t capacity = 4096) {
        Expects(capacity != 0);
        auto both = std::make_shared<line>(capacity);
        return {loopback_console{both, 0}, loopback_console{both, 1}};
    }
    loopback_console(loopback_console&&) noexcept = default;
    loopback_console& operator=(loopback_console&& other) noexcept {
        std::swap(line_, other.line_);
        std::swap(side_, other.side_);
        return *this;
    }
    ~loopback_console() {
        if (line_ == nullptr)
            return;
        for (auto& way : line_->ways) {
            way.closed = true;
            fiber::this_scheduler().signal_all(way.changed);
        }
    }

    /// Errors: std::errc::broken_pipe when the other end is gone; timed_out and operation_canceled by the limit.
    result<void> write(const_bytes out, const fiber::wait_limit& limit = {}) {
        constexpr auto attempted = "write to a console";
        const auto kept = line_;
        direction& way = kept->ways[side_];
        if (out.empty())
            return {};
        const auto turn = fiber::take_turn(way.writing, limit, attempted);
        if (!turn)
            return failure(turn.error());
        while (!out.empty()) {
            if (way.closed)
                return fiber::detail::was_closed(attempted);
            const std::size_t count = std::min(out.size(), way.memory.size() - way.used);
            for (std::size_t i = 0; i < count; ++i)
                way.memory[(way.first + way.used++) % way.memory.size()] = out[i];
            out = out.subspan(count);
            if (count != 0)
                fiber::this_scheduler().signal_all(way.changed);
            else if (const auto how = fiber::this_scheduler().wait(way.changed, limit); how != fiber::wake::signalled)
                return fiber::detail::gave_up(how, attempted);
        }
        return {};
    }

    /// Errors: timed_out and operation_canceled by the limit.
    result<std::size_t> read(bytes in, const fiber::wait_limit& limit = {}) {
        const auto kept = line_;
        direction& way = kept->ways[1 - side_];
        for (;;) {
            if (const std::size_t count = take(way, in); count != 0 || in.empty() || way.closed)
                return count;
            if (const auto how = fiber::this_scheduler().wait(way.changed, limit); how != fiber::wake::signalled)
                return fiber::detail::gave_up(how, "read from a console");
        }
    }
    result<std::size_t> try_read(bytes in) { return take(line_->ways[1 - side_], in); }

private:
    struct direction {
        std::vector<std::byte> memory;
        std::size_t first = 0;
        std::size_t used = 0;
        bool closed = false;
        fiber::mutex writing{};
        fiber::wait_queue changed{"console", true};
    };
    struct line {
        explicit line(std::size_t capacity) {
            for (auto& way : ways)
                way.memory.resize(capacity);
        }
        std::array<direction, 2> ways{};  // [i] is written by side i
    };

    loopback_console(std::shared_ptr<line> both, std::size_t side) noexcept : line_{std::move(both)}, side_{side} {}

    static std::size_t take(direction& way, bytes in) noexcept {
        const std::size_t count = std::min(in.size(), way.used);
        for (std::size_t i = 0; i < count; ++i)
            in[i] = way.memory[(way.first + i) % way.memory.size()];
        way.first = (way.first + count) % way.memory.size();
        way.used -= count;
        if (count != 0)
            fiber::this_scheduler().signal_all(way.changed);
        return count;
    }

    std::shared_ptr<line> line_;
    std::size_t side_;
};
static_assert(Console<loopback_console>);

}  // namespace halvm::model
