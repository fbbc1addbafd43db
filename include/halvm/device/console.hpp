// SPDX-License-Identifier: BSD-3-Clause
// The Console concept: a stream of bytes to a person or a log, and one back.
//
// Semantics that the syntax cannot say:
// - write() returns when all of its bytes were taken: by a buffer of bounded size that the other side empties. What was
//   taken comes out in order and once; nothing is dropped while the other side is there. One that fails may have handed
//   over a part.
// - Fibers may write to one object at the same time. They do so one after another, in the order in which they came; the
//   bytes of one call stay together.
// - '\n' is written as the other side wants its line ends: "\r\n" on Xen's own console, and a terminal of Linux makes
//   that of it. Everything else goes through unchanged, and so does every byte where the other side is a program.
// - read() and try_read() hand out each byte once, in order. Fibers may read one object at the same time; which of them
//   has what is not said.
// - The end of the input is a read() of 0 bytes, and each one after it. Not every console can know it.
// - A call that waits ends once a stop is asked for, with std::errc::operation_canceled; the console can be used on.
//   The models of this library take a fiber::wait_limit there: then std::errc::timed_out is at the deadline. What can
//   be done at once is done, whatever the limit.
// - When the other side has gone for good, what waits fails, and so does what is asked later; what had come before can
//   be read first.
#pragma once

#include <halvm/bytes.hpp>
#include <halvm/device/device.hpp>
#include <halvm/result.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stop_token>

namespace halvm {

/// How many characters stand on a screen; neither is 0.
struct window_size {
    std::uint16_t columns = 0;
    std::uint16_t rows = 0;

    friend bool operator==(const window_size&, const window_size&) = default;
};

template <class Device>
concept Console = UniqueDevice<Device> && requires(Device& device, bytes in, const_bytes out, std::stop_token stop) {
    // Returns once all of `out` was handed over; blocks while the other side is slow.
    { device.write(out) } -> std::same_as<result<void>>;
    { device.write(out, stop) } -> std::same_as<result<void>>;
    // Blocks until there is at least one byte. 0 only for an empty `in`, or when the input has ended.
    { device.read(in) } -> std::same_as<result<std::size_t>>;
    { device.read(in, stop) } -> std::same_as<result<std::size_t>>;
    // Never blocks: 0 when there is nothing to read.
    { device.try_read(in) } -> std::same_as<result<std::size_t>>;
};

/// A Console that may know how large the window at its other side is; nothing when it does not.
template <class Device>
concept WindowedConsole = Console<Device> && requires(const Device& device) {
    { device.window_size() } -> std::same_as<std::optional<window_size>>;
};

}  // namespace halvm
