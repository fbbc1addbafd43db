// SPDX-License-Identifier: BSD-3-Clause
// A file or a block device of Linux as a Block. What is asked goes to the kernel by io_uring, or by threads of the
// kernel's where io_uring is refused, as in many containers; either way other fibers run meanwhile.
//
// Where the file system can, data goes past the kernel's page cache (O_DIRECT), as it does under Xen: a completed write
// is then with the device, and a flush asks the device to make it last.
#pragma once

#include <halvm/device/block.hpp>
#include <halvm/device/memory_buffer.hpp>

#include <cstdint>
#include <memory>
#include <string>

namespace halvm::process {

struct file_block_options {
    bool read_only = false;
    std::uint32_t sector_size = 0;  ///< a power of two from 512 to 4096; 0 is the device's own, or 512 for a file
    bool direct = true;             ///< past the page cache, where that can be done
    bool ring = true;               ///< by io_uring, where that is allowed
};

/// How a disk does its work.
struct file_block_state {
    bool direct = false;         ///< past the page cache
    bool ring = false;           ///< by io_uring
    std::uint64_t parts = 0;     ///< calls of the kernel that were asked for; a long request takes several
    std::uint64_t bounced = 0;   ///< of them, those whose data was copied because its memory was not aligned
    std::uint64_t repeated = 0;  ///< of them, the rests of those that the kernel did in part
};

/// A Block. Ending its life waits for what is under way, and closes the file.
class file_block {
public:
    using buffer = memory_buffer;
    class disk;

    /// Opens the file. Nobody else may write to it meanwhile: it is locked as flock(2) does, to read or to write.
    /// Errors: what open(2) says; std::errc::device_or_resource_busy when another program, or this one, has it locked;
    /// std::errc::not_supported when it is neither a file nor a block device; std::errc::invalid_argument when it is
    /// empty, no whole number of sectors, or the sector size is none that it can have.
    static result<file_block> open(const std::string& path, const file_block_options& options = {});
    /// Of a disk made otherwise.
    explicit file_block(std::unique_ptr<disk> made) noexcept;
    file_block(file_block&&) noexcept;
    file_block& operator=(file_block&&) noexcept;
    ~file_block();

    /// The number of sectors follows a file that has become shorter, once that was noticed.
    [[nodiscard]] block_info info() const noexcept;
    /// Errors: std::errc::not_enough_memory.
    result<buffer> allocate(std::size_t size);
    /// Errors: those of check(); std::errc::io_error where the file has become shorter; what preadv(2), pwritev(2),
    /// fdatasync(2) and fallocate(2) say, as std::errc::no_space_on_device of a file with holes.
    result<void> transfer(std::span<block_request> batch);

    [[nodiscard]] file_block_state state() const noexcept;

private:
    std::unique_ptr<disk> disk_;
};
static_assert(Block<file_block>);

}  // namespace halvm::process
