// SPDX-License-Identifier: BSD-3-Clause
// A Block in memory: what is written is there as long as the disk is.
#pragma once

#include <halvm/contract.hpp>
#include <halvm/device/block.hpp>
#include <halvm/device/memory_buffer.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace halvm::model {

class ram_disk {
public:
    using buffer = memory_buffer;

    /// `info` says how large it is and what it refuses; every byte is 0 at first.
    /// Pre: the sector size is a power of two of at least 512.
    /// Throws: std::bad_alloc.
    explicit ram_disk(const block_info& info)
        : info_{info}, memory_(static_cast<std::size_t>(info.sectors) * info.sector_size) {
        Expects(info.sector_size >= 512 && std::has_single_bit(info.sector_size));
    }
    ram_disk(ram_disk&&) noexcept = default;
    ram_disk& operator=(ram_disk&&) noexcept = default;

    [[nodiscard]] block_info info() const noexcept { return info_; }

    /// Errors: std::errc::not_enough_memory.
    result<buffer> allocate(std::size_t size) {
        return buffer::make((size + info_.sector_size - 1) / info_.sector_size * info_.sector_size);
    }

    /// Never blocks. Errors: those of check().
    result<void> transfer(std::span<block_request> batch) {
        for (block_request& one : batch)
            if (one.outcome = check(one, info_); one.outcome)
                carry_out(one);
        return first_failure(batch);
    }

    /// Grows or shrinks it while it is in use; what is new is 0.
    void resize(std::uint64_t sectors) {
        info_.sectors = sectors;
        memory_.resize(static_cast<std::size_t>(sectors) * info_.sector_size);
    }

private:
    void carry_out(const block_request& request) {
        if (request.operation == block_operation::flush)
            return;
        std::byte* at = memory_.data() + static_cast<std::size_t>(request.first) * info_.sector_size;
        if (request.operation == block_operation::discard)
            std::fill_n(at, static_cast<std::size_t>(request.count) * info_.sector_size, std::byte{});
        if (request.operation == block_operation::read)
            for (const bytes piece : request.in) {
                std::copy_n(at, piece.size(), piece.data());
                at += piece.size();
            }
        if (request.operation == block_operation::write)
            for (const const_bytes piece : request.out)
                at = std::copy_n(piece.data(), piece.size(), at);
    }

    block_info info_;
    std::vector<std::byte> memory_;
};
static_assert(Block<ram_disk>);

}  // namespace halvm::model
