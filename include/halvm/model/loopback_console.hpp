// SPDX-License-Identifier: BSD-3-Clause
// Two consoles joined by a line: what is written at one end is read at the other, byte for byte. For tests of programs
// that talk to a console.
#pragma once

#include <halvm/bytes.hpp>
#include <halvm/device/console.hpp>
#include <halvm/model/byte_pipe.hpp>

#include <array>
#include <cstddef>
#include <memory>
#include <utility>

namespace halvm::model {

/// One end. When the other is destroyed, its input ends once it has read what had come.
class loopback_console {
public:
    /// Each direction holds `capacity` bytes on their way; a writer waits while they are not read.
    static std::pair<loopback_console, loopback_console> make_pair(std::size_t capacity = 4096) {
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
        for (byte_pipe& way : line_->ways)
            way.close();
    }

    /// Errors: std::errc::broken_pipe when the other end is gone; timed_out and operation_canceled by the limit.
    result<void> write(const_bytes out, const fiber::wait_limit& limit = {}) {
        const auto kept = line_;
        return kept->ways[side_].write(out, limit, "write to a console");
    }
    /// Errors: timed_out and operation_canceled by the limit.
    result<std::size_t> read(bytes in, const fiber::wait_limit& limit = {}) {
        const auto kept = line_;
        return kept->ways[1 - side_].read(in, limit, "read from a console");
    }
    result<std::size_t> try_read(bytes in) { return line_->ways[1 - side_].try_read(in); }

private:
    struct line {
        explicit line(std::size_t capacity) : ways{byte_pipe{capacity}, byte_pipe{capacity}} {}
        std::array<byte_pipe, 2> ways;  // [i] is written by side i
    };

    loopback_console(std::shared_ptr<line> both, std::size_t side) noexcept : line_{std::move(both)}, side_{side} {}

    std::shared_ptr<line> line_;
    std::size_t side_;
};
static_assert(Console<loopback_console>);

}  // namespace halvm::model
