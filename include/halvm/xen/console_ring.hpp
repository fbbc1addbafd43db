// SPDX-License-Identifier: BSD-3-Clause
// The data path of a Xen console: one page with a ring each way. How events are sent and awaited is a parameter,
// so that the same code runs over a real event channel and over a test's. [xen/io/console.h]
#pragma once

#include <halvm/bytes.hpp>
#include <halvm/fiber/scheduler.hpp>
#include <halvm/result.hpp>
#include <halvm/xen/abi.hpp>

#include <algorithm>
#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace halvm::xen {

/// How a ring reaches its other end.
template <class Channel>
concept ConsoleEvents = requires(Channel& channel) {
    // Tells the other end that an index moved.
    { channel.notify() }
    noexcept;
}
&&requires(Channel& channel, const fiber::wait_limit& limit) {
    // Returns once the other end may have moved an index since the last wait. Fails with why it will not, or with what
    // the limit says.
    { channel.wait(limit) }
    noexcept->std::same_as<result<void>>;
};

/// What '\n' is to the other end: to a terminal "\r\n", to a program itself.
enum class line_ends : std::uint8_t { terminal, unchanged };

/// Keeps its own copy of the indices that are ours; what the other end writes is read once and checked.
template <ConsoleEvents Events>
class console_ring {
public:
    /// `shared` is the page that both ends see; it must outlive this object.
    console_ring(xencons_interface& shared, Events events, line_ends ends = line_ends::terminal) noexcept
        : shared_{shared},
          events_{events},
          out_prod_{load(shared.out_prod)},
          in_cons_{load(shared.in_cons)},
          ends_{ends} {}

    /// Puts into the ring what there is room for, and says how much of `out` that was. Never blocks.
    /// Errors: std::errc::protocol_error when the other end's index is impossible.
    result<std::size_t> try_write(const_bytes out) noexcept {
        const std::uint32_t used = out_prod_ - load(shared_.out_cons);
        if (used > sizeof shared_.out)
            return failed<std::size_t>(std::errc::protocol_error, "write to the console");
        const std::size_t taken = put(out, sizeof shared_.out - used);
        if (taken != 0)
            events_.notify();
        return taken;
    }

    /// Puts all of `out` into the ring. Blocks while it is full. Two that write at once are to take turns.
    /// Errors: those of try_write(), and of the channel's wait().
    result<void> write(const_bytes out, const fiber::wait_limit& limit = {}) noexcept {
        while (!out.empty()) {
            const auto taken = try_write(out);
            if (!taken)
                return failure(taken.error());
            out = out.subspan(*taken);
            if (!out.empty())
                if (auto waited = events_.wait(limit); !waited)
                    return waited;
        }
        return {};
    }

    /// Takes what is there, at most `in.size()` bytes; 0 when there is nothing. Never blocks.
    /// Errors: std::errc::protocol_error as for write().
    result<std::size_t> try_read(bytes in) noexcept {
        const std::uint32_t there = load(shared_.in_prod) - in_cons_;
        if (there > sizeof shared_.in)
            return failed<std::size_t>(std::errc::protocol_error, "read from the console");
        const std::size_t count = std::min<std::size_t>(there, in.size());
        if (count == 0)
            return 0;
        for (std::size_t i = 0; i < count; ++i)
            in[i] = static_cast<std::byte>(shared_.in[MASK_XENCONS_IDX(in_cons_ + i, shared_.in)]);
        in_cons_ += static_cast<std::uint32_t>(count);
        store(shared_.in_cons, in_cons_);
        events_.notify();
        return count;
    }

    /// Blocks until at least one byte was read; 0 only for an empty `in`.
    /// Errors: those of try_read(), and of the channel's wait().
    result<std::size_t> read(bytes in, const fiber::wait_limit& limit = {}) noexcept {
        for (;;) {
            auto count = try_read(in);
            if (!count || *count != 0 || in.empty())
                return count;
            if (const auto waited = events_.wait(limit); !waited)
                return failure(waited.error());
        }
    }

    /// So many bytes went out around this object: a report that could not wait for its turn.
    void written_around(std::uint32_t count) noexcept { out_prod_ += count; }

    /// Whether the other end has moved an index since the last call, or says that it has.
    bool moved() noexcept {
        const XENCONS_RING_IDX taken = load(shared_.out_cons);
        const XENCONS_RING_IDX given = load(shared_.in_prod);
        const bool room = std::exchange(seen_out_cons_, taken) != taken;
        const bool input = std::exchange(seen_in_prod_, given) != given;
        return room || input;
    }

    /// How many bytes the other end has not taken yet; never more than the ring holds.
    [[nodiscard]] std::size_t unsent() const noexcept {
        return std::min<std::size_t>(out_prod_ - load(shared_.out_cons), sizeof shared_.out);
    }

private:
    // Shared: the other end writes these. Acquire pairs with its release, so that the bytes are there before the
    // index says so.
    static std::uint32_t load(XENCONS_RING_IDX& index) noexcept {
        return std::atomic_ref{index}.load(std::memory_order_acquire);
    }
    static void store(XENCONS_RING_IDX& index, std::uint32_t value) noexcept {
        std::atomic_ref{index}.store(value, std::memory_order_release);
    }

    template <class Value>
    [[gnu::cold, gnu::noinline]] static result<Value> failed(std::errc why, const char* attempted) noexcept {
        return failure(error{std::make_error_code(why), attempted});
    }

    /// Copies what fits into `room` bytes and publishes it. A line end goes in whole or not at all.
    std::size_t put(const_bytes out, std::size_t room) noexcept {
        std::size_t taken = 0;
        for (; taken < out.size(); ++taken) {
            const auto byte = static_cast<char>(out[taken]);
            const bool two = byte == '\n' && ends_ == line_ends::terminal;
            const std::size_t needed = two ? 2 : 1;
            if (needed > room)
                break;
            if (two)
                shared_.out[MASK_XENCONS_IDX(out_prod_++, shared_.out)] = '\r';
            shared_.out[MASK_XENCONS_IDX(out_prod_++, shared_.out)] = byte;
            room -= needed;
        }
        store(shared_.out_prod, out_prod_);
        return taken;
    }

    xencons_interface& shared_;
    Events events_;
    XENCONS_RING_IDX out_prod_;
    XENCONS_RING_IDX in_cons_;
    XENCONS_RING_IDX seen_out_cons_ = 0;
    XENCONS_RING_IDX seen_in_prod_ = 0;
    line_ends ends_;
};

}  // namespace halvm::xen
