// SPDX-License-Identifier: BSD-3-Clause
// A stream of any type behind one interface, so that the rest of HTTP is compiled once; and what came over it and is
// not used yet, and what is to go out.
#pragma once

#include <halvm/bytes.hpp>
#include <halvm/contract.hpp>
#include <halvm/fiber/clock.hpp>
#include <halvm/net/byte_stream.hpp>
#include <halvm/result.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <string_view>
#include <utility>
#include <vector>

namespace halvm::http {

/// [halvm/net/byte_stream.hpp]
class transport {
public:
    transport() noexcept = default;
    transport(const transport&) = delete;
    transport& operator=(const transport&) = delete;
    virtual ~transport() = default;

    virtual result<std::size_t> read(bytes in, const fiber::wait_limit& limit) = 0;
    virtual result<void> write(const_bytes out, const fiber::wait_limit& limit) = 0;
    virtual result<void> shutdown() = 0;
    [[nodiscard]] virtual bool readable() const = 0;
    /// Null for a stream that cannot be watched.
    [[nodiscard]] virtual fiber::wait_queue* readers() noexcept = 0;
};

template <net::ByteStream Stream>
class transport_of final : public transport {
public:
    explicit transport_of(Stream stream) : stream_{std::move(stream)} {}

    result<std::size_t> read(bytes in, const fiber::wait_limit& limit) override { return stream_.read(in, limit); }
    result<void> write(const_bytes out, const fiber::wait_limit& limit) override { return stream_.write(out, limit); }
    result<void> shutdown() override { return stream_.shutdown(); }
    [[nodiscard]] bool readable() const override {
        if constexpr (net::WatchableStream<Stream>)
            return stream_.readable();
        else
            return false;
    }
    [[nodiscard]] fiber::wait_queue* readers() noexcept override {
        if constexpr (net::WatchableStream<Stream>)
            return &stream_.readers();
        else
            return nullptr;
    }

private:
    Stream stream_;
};

/// Memory for what has come. Its front is kept while a head there is in use.
class input_buffer {
public:
    explicit input_buffer(std::size_t most) : most_{most} {}

    [[nodiscard]] std::string_view text() const noexcept {
        return as_text(const_bytes{memory_}.subspan(begin_, end_ - begin_));
    }
    [[nodiscard]] const_bytes data() const noexcept { return const_bytes{memory_}.subspan(begin_, end_ - begin_); }
    void consume(std::size_t count) noexcept { begin_ += count; }
    /// What begins the text, up to `count` bytes of it, stays where it is until release(). Pre: nothing is kept.
    /// Throws: std::bad_alloc.
    void keep(std::size_t count) {
        compact();
        if (memory_.size() < count + least_room)
            memory_.resize(count + least_room);
        begin_ = kept_ = count;
    }
    [[nodiscard]] std::string_view kept() const noexcept { return as_text(const_bytes{memory_}.first(kept_)); }
    void release() noexcept {
        kept_ = 0;
        compact();
    }
    /// Nothing is there any more but `text`. Throws: std::bad_alloc.
    void assign(std::string_view text) {
        kept_ = begin_ = 0;
        if (memory_.size() < text.size())
            memory_.resize(text.size());
        end_ = text.size();
        std::copy_n(as_bytes(text).begin(), text.size(), memory_.begin());
    }
    [[nodiscard]] bool is_full() const noexcept { return end_ - begin_ == most_; }

    /// Blocks until more has come; 0 at the peer's end. Pre: it is not full.
    /// Errors: those of the stream. Throws: std::bad_alloc.
    result<std::size_t> fill(transport& from, const fiber::wait_limit& limit) {
        if (end_ == memory_.size()) {
            compact();
            if (end_ == memory_.size() && kept_ == 0)
                memory_.resize(std::min(most_, std::max(least_memory, 2 * memory_.size())));
        }
        Expects(end_ < memory_.size());
        auto count = from.read(bytes{memory_}.subspan(end_), limit);
        if (count)
            end_ += *count;
        return count;
    }

private:
    static constexpr std::size_t least_memory = 2048;
    static constexpr std::size_t least_room = 512;  // behind a head, for a body's framing

    void compact() noexcept {
        std::copy(memory_.begin() + static_cast<std::ptrdiff_t>(begin_),
                  memory_.begin() + static_cast<std::ptrdiff_t>(end_),
                  memory_.begin() + static_cast<std::ptrdiff_t>(kept_));
        end_ = kept_ + (end_ - begin_);
        begin_ = kept_;
    }

    std::vector<std::byte> memory_;
    std::size_t most_;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    std::size_t kept_ = 0;
};

/// Collects what is to go out, so that small parts make one write.
class output_buffer {
public:
    explicit output_buffer(std::size_t size) : memory_(size) {}

    /// The stream that the next bytes go to, and how long each write to it may take. Pre: nothing is waiting.
    void begin(transport& to, std::chrono::nanoseconds write_time, std::stop_token stop) noexcept {
        to_ = &to;
        write_time_ = write_time;
        stop_ = std::move(stop);
        used_ = 0;
    }
    /// What was not flushed is lost.
    void end() noexcept { to_ = nullptr; }

    /// Blocks while the peer is slow, when what there is does not fit. Errors: those of the stream.
    result<void> put(const_bytes part) {
        total_ += part.size();
        while (part.size() > memory_.size() - used_) {
            // Where nothing waits, large parts go past the buffer, in pieces that each have their time.
            if (used_ == 0) {
                const const_bytes piece = part.first(std::min(part.size(), longest_piece));
                if (auto done = to_->write(piece, fiber::within(write_time_, stop_)); !done)
                    return done;
                part = part.subspan(piece.size());
                continue;
            }
            const std::size_t fits = memory_.size() - used_;
            append(part.first(fits));
            part = part.subspan(fits);
            if (auto done = flush(); !done)
                return done;
        }
        append(part);
        return {};
    }
    result<void> put(std::string_view part) { return put(as_bytes(part)); }
    result<void> flush() {
        if (used_ == 0)
            return {};
        const std::size_t count = std::exchange(used_, 0);
        return to_->write(const_bytes{memory_}.first(count), fiber::within(write_time_, stop_));
    }
    [[nodiscard]] bool is_empty() const noexcept { return used_ == 0; }
    /// All that was ever put.
    [[nodiscard]] std::uint64_t total() const noexcept { return total_; }

private:
    static constexpr std::size_t longest_piece = 65'536;

    void append(const_bytes part) noexcept {
        std::copy(part.begin(), part.end(), memory_.begin() + static_cast<std::ptrdiff_t>(used_));
        used_ += part.size();
    }

    std::vector<std::byte> memory_;
    std::size_t used_ = 0;
    std::uint64_t total_ = 0;
    transport* to_ = nullptr;
    std::chrono::nanoseconds write_time_{};
    std::stop_token stop_{};
};

}  // namespace halvm::http
