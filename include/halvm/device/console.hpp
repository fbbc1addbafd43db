// SPDX-License-Identifier: BSD-3-Clause
// The Console concept: a stream of bytes to a person or a log, and one back.
//
// Semantics that the syntax cannot say:
// - What write() took comes out in order and whole; nothing is dropped while the other side is there.
// - '\n' is written as the other side wants its line ends ("\r\n" on Xen); everything else goes through unchanged.
// - read() and try_read() hand out each byte once, in order.
#pragma once

#include <halvm/bytes.hpp>
#include <halvm/device/device.hpp>
#include <halvm/result.hpp>

#include <concepts>
#include <cstddef>

namespace halvm {

template <class Device>
concept Console = UniqueDevice<Device> && requires(Device& device, bytes in, const_bytes out) {
    // Returns once all of `out` was handed over; blocks while the other side is slow.
    { device.write(out) } -> std::same_as<result<void>>;
    // Blocks until there is at least one byte. 0 only for an empty `in`, or when the input has ended.
    { device.read(in) } -> std::same_as<result<std::size_t>>;
    // Never blocks: 0 when there is nothing to read.
    { device.try_read(in) } -> std::same_as<result<std::size_t>>;
};

}  // namespace halvm
