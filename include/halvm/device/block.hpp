// SPDX-License-Identifier: BSD-3-Clause
// The Block concept: a random-access device of fixed-size sectors, asked in batches.
//
// Semantics that the syntax cannot say:
// - The requests of a batch, and of batches of several fibers, are carried out at the same time and in any order. Who
//   needs an order waits for the first before asking for the second.
// - A request is done when its outcome is set, and all of it is done or none of it counts: after a failed write the
//   sectors that it covers hold the old or the new bytes, sector by sector.
// - A completed write is seen by every later read. It outlives a loss of power once a flush that was asked for after
//   its completion has succeeded.
// - What is discarded reads as anything until it is written again.
// - A device that breaks, or goes away, fails what was asked and all that comes; nothing waits for ever.
// - Any memory can be read into and written from; memory from allocate() spares the device a copy.
#pragma once

#include <halvm/bytes.hpp>
#include <halvm/device/device.hpp>
#include <halvm/result.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

namespace halvm {

/// What a device is and can do. `sectors` may change while it is in use, as when it is resized or its medium changed,
/// and what it can do when that turns out to be less, or its other half was exchanged; the size of a sector stays.
struct block_info {
    std::uint64_t sectors = 0;          ///< in all; none in a drive without a medium
    std::uint32_t sector_size = 512;    ///< bytes, a power of two of at least 512: the unit of every request
    std::uint32_t physical_size = 512;  ///< bytes that the medium writes at once; at least sector_size
    std::uint32_t queue_depth = 1;      ///< requests that it works on at the same time
    std::uint64_t longest_discard = 0;  ///< sectors in one discard; 0 when it cannot
    std::uint32_t discard_unit = 1;     ///< sectors; a discard of less, or across its borders, may do nothing
    bool read_only = false;
    bool removable = false;
    bool flushes = true;  ///< false when it cannot tell what is on stable storage: a flush then fails

    friend bool operator==(const block_info&, const block_info&) = default;
};

enum class block_operation : std::uint8_t { read, write, flush, discard };

/// One request of a batch. It and what it points to belong to the caller, and stay as they are until the outcome is
/// there.
struct block_request {
    block_operation operation = block_operation::read;
    std::uint64_t first = 0;             ///< sector
    std::span<const bytes> in{};         ///< read: filled in this order; each piece a whole number of sectors
    std::span<const const_bytes> out{};  ///< write: taken in this order; each piece a whole number of sectors
    std::uint64_t count = 0;             ///< discard: sectors
    result<void> outcome{};              ///< set by the device
};

/// How many sectors `request` covers; what is left over of a piece does not count. 0 for a flush.
inline std::uint64_t sectors_of(const block_request& request, std::uint32_t sector_size) noexcept {
    std::uint64_t size = 0;
    for (const bytes piece : request.in)
        size += request.operation == block_operation::read ? piece.size() : 0;
    for (const const_bytes piece : request.out)
        size += request.operation == block_operation::write ? piece.size() : 0;
    return request.operation == block_operation::discard ? request.count : size / sector_size;
}

/// Whether a device that `info` describes can be asked this; every device refuses with these errors.
/// Errors: std::errc::invalid_argument for no sectors at all or a piece that is no whole number of sectors;
/// std::errc::result_out_of_range beyond the device's end; std::errc::read_only_file_system for a write or discard
/// on a read-only device; std::errc::operation_not_supported for a flush or a discard that the device does not know.
result<void> check(const block_request& request, const block_info& info) noexcept;

/// What transfer() returns: the error of the first request that failed, or none.
inline result<void> first_failure(std::span<const block_request> batch) noexcept {
    for (const block_request& one : batch)
        if (!one.outcome)
            return one.outcome;
    return {};
}

template <class Device>
concept Block = UniqueDevice<Device> &&
    requires(Device& device, const Device& view, std::span<block_request> batch, std::size_t size) {
    // Memory that the device reaches without a copy; gives it back when it ends.
    typename Device::buffer;
    requires UniqueDevice<typename Device::buffer>;
    requires std::convertible_to<typename Device::buffer&, bytes>;
    // Never blocks.
    { view.info() }
    noexcept->std::same_as<block_info>;
    // At least `size` zeroed bytes, rounded up to sectors. Never blocks.
    { device.allocate(size) } -> std::same_as<result<typename Device::buffer>>;
    // Blocks until each request of the batch has its outcome. The first failed one's error, or none.
    { device.transfer(batch) } -> std::same_as<result<void>>;
};

/// Reads whole sectors from `first` on. Blocks; fails as check() and the device say.
template <Block Device>
result<void> read(Device& device, std::uint64_t first, bytes into) {
    block_request one{.operation = block_operation::read, .first = first, .in = {&into, 1}};
    return device.transfer({&one, 1});
}

/// Writes whole sectors from `first` on. Blocks; fails as check() and the device say.
template <Block Device>
result<void> write(Device& device, std::uint64_t first, const_bytes from) {
    block_request one{.operation = block_operation::write, .first = first, .out = {&from, 1}};
    return device.transfer({&one, 1});
}

/// Returns once all writes that were complete before the call are on stable storage.
template <Block Device>
result<void> flush(Device& device) {
    block_request one{.operation = block_operation::flush};
    return device.transfer({&one, 1});
}

/// Tells the device that `count` sectors from `first` on are not needed any more.
template <Block Device>
result<void> discard(Device& device, std::uint64_t first, std::uint64_t count) {
    block_request one{.operation = block_operation::discard, .first = first, .count = count};
    return device.transfer({&one, 1});
}

inline result<void> check(const block_request& request, const block_info& info) noexcept {
    const auto refuse = [](std::errc why, const char* attempted) {
        return failure(error{std::make_error_code(why), attempted});
    };
    if (request.operation == block_operation::flush)
        return info.flushes ? result<void>{} : refuse(std::errc::operation_not_supported, "flush a disk");
    if (request.operation != block_operation::read && info.read_only)
        return refuse(std::errc::read_only_file_system, "write to a disk");
    const auto whole = [&](auto piece) { return piece.size() % info.sector_size == 0; };
    bool pieces_whole = true;
    if (request.operation == block_operation::read)
        for (const bytes piece : request.in)
            pieces_whole = pieces_whole && whole(piece);
    if (request.operation == block_operation::write)
        for (const const_bytes piece : request.out)
            pieces_whole = pieces_whole && whole(piece);
    const auto sectors = sectors_of(request, info.sector_size);
    if (!pieces_whole || sectors == 0)
        return refuse(std::errc::invalid_argument, "transfer part of a sector, or nothing");
    if (request.first > info.sectors || sectors > info.sectors - request.first)
        return refuse(std::errc::result_out_of_range, "transfer sectors beyond the disk's end");
    if (request.operation == block_operation::discard && request.count > info.longest_discard)
        return refuse(std::errc::operation_not_supported, "discard sectors of a disk");
    return {};
}

}  // namespace halvm
