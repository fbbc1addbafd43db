// SPDX-License-Identifier: BSD-3-Clause
// Bytes anywhere on a Block, for who does not think in sectors.
#pragma once

#include <halvm/device/block.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace halvm {
namespace detail {

/// A range of bytes as sectors: the first one in part, whole ones, the last one in part.
struct sector_split {
    std::uint64_t first;  ///< sector in which the range begins
    std::size_t skip;     ///< bytes of it before the range
    std::size_t head;     ///< bytes of the range in it, 0 when the range begins with a whole sector
    std::size_t whole;    ///< bytes in whole sectors
    std::size_t tail;     ///< bytes in the last sector

    sector_split(std::uint64_t offset, std::size_t size, std::size_t sector) noexcept
        : first{offset / sector}, skip{static_cast<std::size_t>(offset % sector)} {
        head = skip == 0 && size >= sector ? 0 : std::min(size, sector - skip);
        whole = (size - head) / sector * sector;
        tail = size - head - whole;
    }
    /// The sector in which the tail is.
    [[nodiscard]] std::uint64_t last(std::size_t sector) const noexcept {
        return first + (head != 0 ? 1 : 0) + whole / sector;
    }
};

}  // namespace detail

/// Reads `into.size()` bytes from byte `offset` on. Blocks; fails as the device's transfer() does. Nothing for an
/// empty range.
template <Block Device>
result<void> read_bytes(Device& device, std::uint64_t offset, bytes into) {
    if (into.empty())
        return {};
    const std::size_t sector = device.info().sector_size;
    const detail::sector_split at{offset, into.size(), sector};
    if (at.head + at.tail == 0)
        return read(device, at.first, into);
    auto edges = device.allocate(2 * sector);
    if (!edges)
        return failure(edges.error());
    const bytes edge = *edges;
    const std::array pieces{edge.first(at.head != 0 ? sector : 0), into.subspan(at.head, at.whole),
                            edge.subspan(sector, at.tail != 0 ? sector : 0)};
    block_request one{.operation = block_operation::read, .first = at.first, .in = pieces};
    if (auto how = device.transfer({&one, 1}); !how)
        return how;
    std::memcpy(into.data(), edge.data() + at.skip, at.head);
    std::memcpy(into.data() + at.head + at.whole, edge.data() + sector, at.tail);
    return {};
}

/// Writes `from` at byte `offset`. The sectors at its edges are read first, so two writes at once to one sector lose
/// one of the two: fibers that share a device keep out of each other's sectors. Blocks; fails as transfer() does,
/// and then has written any part.
template <Block Device>
result<void> write_bytes(Device& device, std::uint64_t offset, const_bytes from) {
    if (from.empty())
        return {};
    const std::size_t sector = device.info().sector_size;
    const detail::sector_split at{offset, from.size(), sector};
    if (at.head + at.tail == 0)
        return write(device, at.first, from);
    auto edges = device.allocate(2 * sector);
    if (!edges)
        return failure(edges.error());
    const bytes edge = *edges;
    const bytes head = edge.first(at.head != 0 ? sector : 0);
    const bytes tail = edge.subspan(sector, at.tail != 0 ? sector : 0);
    std::array<block_request, 2> reads{
        block_request{.operation = block_operation::read, .first = at.first, .in = {&head, 1}},
        block_request{.operation = block_operation::read, .first = at.last(sector), .in = {&tail, 1}}};
    const std::size_t begin = head.empty() ? 1 : 0;
    const std::size_t end = tail.empty() ? 1 : 2;
    if (auto how = device.transfer(std::span{reads}.subspan(begin, end - begin)); !how)
        return how;
    std::memcpy(edge.data() + at.skip, from.data(), at.head);
    std::memcpy(edge.data() + sector, from.data() + at.head + at.whole, at.tail);
    const std::array<const_bytes, 3> pieces{head, from.subspan(at.head, at.whole), tail};
    block_request one{.operation = block_operation::write, .first = at.first, .out = pieces};
    return device.transfer({&one, 1});
}

}  // namespace halvm
