// SPDX-License-Identifier: BSD-3-Clause
// A stretch of a stream: bytes at offsets from its front, in chunks of the shared memory; there may be holes of chunks
// that nothing was put into. What is sent and not acknowledged stands in one, and what was received in another.
#pragma once

#include <halvm/bytes.hpp>
#include <halvm/device/packet.hpp>
#include <halvm/net/tcp/memory.hpp>

#include <algorithm>
#include <array>
#include <cstring>

namespace halvm::net::tcp {

/// What a segment carries: bytes in one run, or part of a packet.
class payload_view {
public:
    payload_view() noexcept = default;
    payload_view(const_bytes all) noexcept : flat_{all}, size_{all.size()} {}
    payload_view(const packet& from, std::size_t begin) noexcept
        : from_{&from}, begin_{begin}, size_{from.size() - begin} {}

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    void trim_front(std::size_t count) noexcept {
        begin_ += count;
        size_ -= count;
    }
    void trim_back(std::size_t count) noexcept { size_ -= count; }
    void copy_out(std::size_t at, bytes into) const noexcept {
        if (from_ != nullptr)
            from_->copy_out(begin_ + at, into);
        else if (!into.empty())
            std::memcpy(into.data(), flat_.data() + begin_ + at, into.size());
    }

private:
    const packet* from_ = nullptr;
    const_bytes flat_{};
    std::size_t begin_ = 0;
    std::size_t size_ = 0;
};

class stream_buffer {
public:
    explicit stream_buffer(memory& from) noexcept : memory_{from} {}
    stream_buffer(const stream_buffer&) = delete;
    stream_buffer& operator=(const stream_buffer&) = delete;
    ~stream_buffer() {
        clear();
        if (chunks_ != few_.data())
            delete[] chunks_;
    }

    /// Copies `from` to the offset `at`. How many bytes, from its front; fewer when there is no memory.
    std::size_t put(std::size_t at, const payload_view& from) noexcept {
        std::size_t done = 0;
        while (done != from.size()) {
            const place where = place_of(at + done);
            if (!has_slot(where.index))
                return done;
            std::byte*& chunk = slot(where.index);
            if (chunk == nullptr && (chunk = memory_.take(where.index == 0)) == nullptr)
                return done;
            const std::size_t here = std::min(memory::chunk_size - where.within, from.size() - done);
            from.copy_out(done, {chunk + where.within, here});
            done += here;
        }
        return done;
    }
    /// `visit(const_bytes)` for each run of the `size` bytes from `at` on. Pre: they were put there.
    template <class Visit>
    void for_each(std::size_t at, std::size_t size, Visit visit) const {
        while (size != 0) {
            const place where = place_of(at);
            const std::size_t here = std::min(memory::chunk_size - where.within, size);
            visit(const_bytes{slot(where.index) + where.within, here});
            at += here;
            size -= here;
        }
    }
    void copy_out(std::size_t at, bytes into) const noexcept {
        for_each(at, into.size(), [&](const_bytes run) {
            std::memcpy(into.data(), run.data(), run.size());
            into = into.subspan(run.size());
        });
    }
    /// The front moves on: offsets are from there.
    void drop(std::size_t size) noexcept {
        front_ += size;
        while (front_ >= memory::chunk_size) {
            front_ -= memory::chunk_size;
            if (count_ == 0)
                continue;
            give(chunks_[first_]);
            first_ = (first_ + 1) & (capacity_ - 1);
            --count_;
        }
    }
    /// Nothing in it is needed.
    void clear() noexcept {
        for (; count_ != 0; --count_) {
            give(chunks_[first_]);
            first_ = (first_ + 1) & (capacity_ - 1);
        }
        front_ = 0;
    }

private:
    struct place {
        std::size_t index;
        std::size_t within;
    };
    [[nodiscard]] place place_of(std::size_t at) const noexcept {
        return {(front_ + at) / memory::chunk_size, (front_ + at) % memory::chunk_size};
    }
    [[nodiscard]] std::byte*& slot(std::size_t index) const noexcept {
        return chunks_[(first_ + index) & (capacity_ - 1)];
    }
    void give(std::byte*& chunk) noexcept {
        if (chunk != nullptr)
            memory_.give(std::exchange(chunk, nullptr));
    }
    // Room for pointers grows with the stream's need and stays: this is not work of each packet.
    [[nodiscard]] bool has_slot(std::size_t index) noexcept {
        if (index >= capacity_) {
            std::size_t more = capacity_;
            while (more <= index)
                more *= 2;
            auto* const grown = new (std::nothrow) std::byte*[more]();
            if (grown == nullptr)
                return false;
            for (std::size_t i = 0; i < count_; ++i)
                grown[i] = slot(i);
            if (chunks_ != few_.data())
                delete[] chunks_;
            few_ = {};
            chunks_ = grown;
            capacity_ = static_cast<std::uint32_t>(more);
            first_ = 0;
        }
        count_ = std::max(count_, static_cast<std::uint32_t>(index + 1));
        return true;
    }

    memory& memory_;
    std::array<std::byte*, 2> few_{};
    std::byte** chunks_ = few_.data();
    std::uint32_t capacity_ = 2;
    std::uint32_t first_ = 0;
    std::uint32_t count_ = 0;  // of slots, from the first one on, that may hold a chunk
    std::size_t front_ = 0;
};

}  // namespace halvm::net::tcp
