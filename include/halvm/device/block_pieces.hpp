// SPDX-License-Identifier: BSD-3-Clause
// The memory of a block_request as one run of bytes, for drivers that carry it out in parts.
#pragma once

#include <halvm/device/block.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace halvm {

/// The bytes of a request's pieces; 0 for a flush and a discard.
inline std::uint64_t size_of(const block_request& request) noexcept {
    std::uint64_t size = 0;
    if (request.operation == block_operation::read)
        for (const bytes piece : request.in)
            size += piece.size();
    if (request.operation == block_operation::write)
        for (const const_bytes piece : request.out)
            size += piece.size();
    return size;
}

/// Calls `use(data, size)` for each run of memory of a request's bytes from `begin` to `end`, until it returns less
/// than it was given. What is written out must only be read.
template <class Use>
void for_each_piece(const block_request& request, std::uint64_t begin, std::uint64_t end, Use use) {
    const bool reads = request.operation == block_operation::read;
    const std::size_t count = reads ? request.in.size() : request.out.size();
    std::uint64_t at = 0;
    for (std::size_t i = 0; i < count && at < end; ++i) {
        auto* const data = reads ? request.in[i].data() : const_cast<std::byte*>(request.out[i].data());
        const std::uint64_t size = reads ? request.in[i].size() : request.out[i].size();
        const std::uint64_t from = std::max(at, begin);
        const std::uint64_t to = std::min(at + size, end);
        if (from < to && use(data + (from - at), static_cast<std::size_t>(to - from)) != to - from)
            return;
        at += size;
    }
}

/// Copies a write's bytes from `begin` on into `own`.
inline void copy_out(const block_request& request, std::uint64_t begin, bytes own) {
    std::byte* to = own.data();
    for_each_piece(request, begin, begin + own.size(), [&](const std::byte* theirs, std::size_t size) {
        to = std::copy_n(theirs, size, to);
        return size;
    });
}

/// Copies `own` to where a read's bytes from `begin` on belong.
inline void copy_in(const block_request& request, std::uint64_t begin, const_bytes own) {
    const std::byte* from = own.data();
    for_each_piece(request, begin, begin + own.size(), [&](std::byte* theirs, std::size_t size) {
        std::copy_n(from, size, theirs);
        from += size;
        return size;
    });
}

}  // namespace halvm
