// SPDX-License-Identifier: BSD-3-Clause
// The ByteStream concept: bytes in order both ways, each of which ends by itself. A TCP connection is one, and so is
// whatever is laid over one; what speaks over it need not know which.
//
// Semantics that the syntax cannot say:
// - What is written comes out at the other side in order and once. A write() that fails may have queued a part.
// - Fibers may write one stream at the same time; the bytes of one call stay together. One fiber reads at a time.
// - A call that waits ends at its limit, with std::errc::timed_out or operation_canceled, and the stream can be used
//   on. What can be done at once is done, whatever the limit.
// - After shutdown() writing fails with std::errc::broken_pipe, and reading goes on. It may be called again.
// - A peer that is gone for good fails writing; reading gives what had come before, and then the end or an error.
// - Destroying a stream gives it up: what was queued still goes out, and what the peer writes is refused.
#pragma once

#include <halvm/bytes.hpp>
#include <halvm/device/device.hpp>
#include <halvm/fiber/scheduler.hpp>
#include <halvm/result.hpp>

#include <concepts>
#include <cstddef>

namespace halvm::net {

template <class Stream>
concept ByteStream = UniqueDevice<Stream> &&
    requires(Stream& stream, bytes in, const_bytes out, const fiber::wait_limit& limit) {
    // Blocks until there is at least one byte. 0 only for an empty `in`, or when the peer has ended its half.
    { stream.read(in, limit) } -> std::same_as<result<std::size_t>>;
    // Returns once all of `out` is queued; blocks while the peer is slow.
    { stream.write(out, limit) } -> std::same_as<result<void>>;
    // Ends our half, behind what was written. Never blocks.
    { stream.shutdown() } -> std::same_as<result<void>>;
};

/// A stream that can be waited for without a fiber that stands in read(): thousands of them by one fiber, as
/// coroutines (fiber/await.hpp).
template <class Stream>
concept WatchableStream = ByteStream<Stream> && requires(Stream& stream, const Stream& view) {
    // Whether read() would return at once: with bytes, with the end, or with an error.
    { view.readable() } -> std::same_as<bool>;
    // Is signalled when that becomes true. As long as the stream; a move of the stream leaves it where it is.
    { stream.readers() } -> std::same_as<fiber::wait_queue&>;
};

/// What hands out the connections that others make to us. Fibers may wait in it at the same time.
template <class Source>
concept Listener = requires(Source& source, const fiber::wait_limit& limit) {
    // Blocks until somebody has connected. An error of one connection is not one of the listener: it goes on.
    source.accept(limit).value();
    requires ByteStream<std::remove_cvref_t<decltype(source.accept(limit).value())>>;
};

}  // namespace halvm::net
