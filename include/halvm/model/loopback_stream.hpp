// SPDX-License-Identifier: BSD-3-Clause
// Two streams joined to each other, as the ends of a TCP connection are: for tests of protocols over a stream.
#pragma once

#include <halvm/fiber/channel.hpp>
#include <halvm/model/byte_pipe.hpp>
#include <halvm/net/byte_stream.hpp>

#include <array>
#include <cstddef>
#include <memory>
#include <utility>

namespace halvm::model {

class loopback_stream {
public:
    /// Each direction holds `capacity` bytes on their way, which is the most that one read() gives.
    static std::pair<loopback_stream, loopback_stream> make_pair(std::size_t capacity = 4096) {
        auto both = std::make_shared<ways>(capacity);
        return {loopback_stream{both, 0}, loopback_stream{both, 1}};
    }
    loopback_stream(loopback_stream&&) noexcept = default;
    loopback_stream& operator=(loopback_stream&& other) noexcept {
        std::swap(ways_, other.ways_);
        std::swap(side_, other.side_);
        return *this;
    }
    ~loopback_stream() {
        if (ways_ == nullptr)
            return;
        for (byte_pipe& way : ways_->each)
            way.close();
    }

    /// Errors: timed_out and operation_canceled by the limit.
    result<std::size_t> read(bytes in, const fiber::wait_limit& limit = {}) {
        const auto kept = ways_;
        return kept->each[1 - side_].read(in, limit, "read from a stream");
    }
    /// Errors: std::errc::broken_pipe after shutdown(), and when the other end is gone; timed_out and
    /// operation_canceled by the limit.
    result<void> write(const_bytes out, const fiber::wait_limit& limit = {}) {
        const auto kept = ways_;
        return kept->each[side_].write(out, limit, "write to a stream");
    }
    /// Errors: none.
    result<void> shutdown() {
        ways_->each[side_].close();
        return {};
    }

    [[nodiscard]] bool readable() const noexcept { return ways_->each[1 - side_].readable(); }
    [[nodiscard]] fiber::wait_queue& readers() noexcept { return ways_->each[1 - side_].readers(); }

private:
    struct ways {
        explicit ways(std::size_t capacity) : each{byte_pipe{capacity}, byte_pipe{capacity}} {}
        std::array<byte_pipe, 2> each;  // [i] is written by side i
    };

    loopback_stream(std::shared_ptr<ways> both, std::size_t side) noexcept : ways_{std::move(both)}, side_{side} {}

    std::shared_ptr<ways> ways_;
    std::size_t side_;
};
static_assert(net::WatchableStream<loopback_stream>);

/// Hands out the far ends of streams that connect() made.
class loopback_listener {
public:
    /// `backlog` connections wait until they are accepted; the next waits in connect().
    explicit loopback_listener(std::size_t capacity = 4096, std::size_t backlog = 16)
        : capacity_{capacity}, waiting_{backlog} {}

    /// Errors: std::errc::broken_pipe once it is closed; timed_out and operation_canceled by the limit.
    result<loopback_stream> accept(const fiber::wait_limit& limit = {}) { return waiting_.receive(limit); }
    result<loopback_stream> connect(const fiber::wait_limit& limit = {}) {
        auto [near, far] = loopback_stream::make_pair(capacity_);
        if (auto sent = waiting_.send(std::move(far), limit); !sent)
            return failure(sent.error());
        return std::move(near);
    }
    void close() { waiting_.close(); }

private:
    std::size_t capacity_;
    fiber::channel<loopback_stream> waiting_;
};
static_assert(net::Listener<loopback_listener>);

}  // namespace halvm::model
