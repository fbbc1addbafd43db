// SPDX-License-Identifier: BSD-3-Clause
// Opening a file as a disk: what it is, and what it can do.
#include "file_disk.hpp"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <fstream>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <system_error>
#include <utility>

namespace halvm::process {
namespace {

constexpr std::uint32_t most_sector = 4096;
constexpr std::uint32_t threads = 4;

failure refuse(int number, const char* attempted, const std::string& path) {
    return failure{error{std::error_code{number, std::generic_category()}, attempted, path}};
}

/// A number that the kernel says of a block device's queue; 0 when it says none.
std::uint64_t queue_limit(dev_t device, const char* name) {
    const auto folder = "/sys/dev/block/" + std::to_string(major(device)) + ":" + std::to_string(minor(device));
    std::uint64_t value = 0;
    // A partition has the queue of the device that it is a part of.
    for (const char* queue : {"/queue/", "/../queue/"})
        if (std::ifstream{folder + queue + name} >> value)
            return value;
    return 0;
}

/// A file system of Linux 6.1 and later says what it asks of direct transfers.
struct direct_needs {
    std::uint32_t memory = memory_buffer::alignment;
    std::uint32_t offset = 1;
};
direct_needs needs_of(int file) noexcept {
    direct_needs needs;
    struct statx found {};
    if (statx(file, "", AT_EMPTY_PATH, STATX_DIOALIGN, &found) == 0 && (found.stx_mask & STATX_DIOALIGN) != 0)
        needs = {std::max(found.stx_dio_mem_align, 1U), found.stx_dio_offset_align};
    return needs;
}

result<void> describe_device(opened_file& opened, const struct stat& found, std::uint32_t wanted) {
    const int file = opened.file.number();
    int sector = 0;
    unsigned physical = 0;
    int read_only = 0;
    std::uint64_t size = 0;
    if (ioctl(file, BLKGETSIZE64, &size) != 0 || ioctl(file, BLKSSZGET, &sector) != 0)
        return refuse(errno, "ask for the size of the disk", opened.path);
    if (ioctl(file, BLKPBSZGET, &physical) != 0)
        physical = 0;
    if (ioctl(file, BLKROGET, &read_only) == 0 && read_only != 0)
        opened.info.read_only = true;
    const auto own = static_cast<std::uint32_t>(sector);
    opened.info.sector_size = std::max(wanted, own);
    if (wanted != 0 && wanted < own)
        return refuse(EINVAL, "use sectors smaller than its own of the disk", opened.path);
    opened.info.sectors = size / opened.info.sector_size;
    opened.info.physical_size = std::max<std::uint32_t>(physical, opened.info.sector_size);
    if (queue_limit(found.st_rdev, "discard_max_bytes") != 0) {
        opened.info.longest_discard = opened.info.sectors;
        const auto unit = queue_limit(found.st_rdev, "discard_granularity") / opened.info.sector_size;
        opened.info.discard_unit = std::max(static_cast<std::uint32_t>(unit), 1U);
    }
    opened.info.removable = queue_limit(found.st_rdev, "../removable") != 0;
    return {};
}

result<void> describe_file(opened_file& opened, const struct stat& found, std::uint32_t wanted) {
    const auto size = static_cast<std::uint64_t>(found.st_size);
    opened.info.sector_size = wanted != 0 ? wanted : 512;
    if (size == 0)
        return refuse(EINVAL, "use as a disk what is empty:", opened.path);
    if (size % opened.info.sector_size != 0)
        return refuse(EINVAL, "use as a disk what has no whole number of sectors:", opened.path);
    opened.info.sectors = size / opened.info.sector_size;
    const auto block = static_cast<std::uint32_t>(found.st_blksize);
    const bool usable = std::has_single_bit(block) && block >= opened.info.sector_size;
    opened.info.physical_size = usable ? block : opened.info.sector_size;
    // A hole behind the file's end changes nothing, and tells whether there can be any.
    constexpr int hole = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    if (!opened.info.read_only && fallocate(opened.file.number(), hole, found.st_size, most_sector) == 0) {
        opened.info.longest_discard = opened.info.sectors;
        opened.info.discard_unit = opened.info.physical_size / opened.info.sector_size;
    }
    return {};
}

result<opened_file> open_file(const std::string& path, const file_block_options& options) {
    const std::uint32_t wanted = options.sector_size;
    if (wanted != 0 && (!std::has_single_bit(wanted) || wanted < 512 || wanted > most_sector))
        return refuse(EINVAL, "use sectors of such a size of the disk", path);
    // Looked at first, because to open something else may wait: a pipe for its other end.
    struct stat found {};
    if (stat(path.c_str(), &found) != 0)
        return refuse(errno, "open the disk", path);
    if (S_ISDIR(found.st_mode))
        return refuse(EISDIR, "open the disk", path);
    if (!S_ISREG(found.st_mode) && !S_ISBLK(found.st_mode))
        return refuse(ENOTSUP, "use as a disk what is neither a file nor a block device:", path);
    const int flags = (options.read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC;
    opened_file opened{.file = descriptor{open(path.c_str(), flags | (options.direct ? O_DIRECT : 0))}, .path = path};
    opened.direct = options.direct && opened.file.number() >= 0;
    if (opened.file.number() < 0 && errno == EINVAL && options.direct)
        opened.file = descriptor{open(path.c_str(), flags)};
    if (opened.file.number() < 0)
        return refuse(errno, "open the disk", path);
    if (flock(opened.file.number(), (options.read_only ? LOCK_SH : LOCK_EX) | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return refuse(EBUSY, "open the disk, which another has opened:", path);
    opened.device = S_ISBLK(found.st_mode);
    opened.info.read_only = options.read_only;
    const auto described =
        opened.device ? describe_device(opened, found, wanted) : describe_file(opened, found, wanted);
    if (!described)
        return failure(described.error());
    if (opened.direct) {
        const auto needs = needs_of(opened.file.number());
        opened.alignment = needs.memory;
        if (needs.offset == 0 || needs.offset > opened.info.sector_size) {
            opened.direct = false;
            fcntl(opened.file.number(), F_SETFL, flags & ~O_CLOEXEC);
        }
    }
    return opened;
}

}  // namespace

result<file_block> file_block::open(const std::string& path, const file_block_options& options) {
    auto opened = open_file(path, options);
    if (!opened)
        return failure(opened.error());
    constexpr disk::engine_maker by_threads = [](int done) { return make_thread_engine(done, threads); };
    auto made = disk::make(*opened, options.ring ? make_ring_engine : by_threads, options.ring);
    if (!made && options.ring)
        made = disk::make(*opened, by_threads, false);
    if (!made)
        return failure(made.error());
    return file_block{std::move(*made)};
}

file_block::file_block(std::unique_ptr<disk> made) noexcept : disk_{std::move(made)} {}
file_block::file_block(file_block&&) noexcept = default;
file_block& file_block::operator=(file_block&&) noexcept = default;
file_block::~file_block() = default;

block_info file_block::info() const noexcept { return disk_->info(); }
file_block_state file_block::state() const noexcept { return disk_->state(); }

result<file_block::buffer> file_block::allocate(std::size_t size) {
    const std::size_t sector = info().sector_size;
    return buffer::make((size + sector - 1) / sector * sector);
}

result<void> file_block::transfer(std::span<block_request> batch) { return disk_->transfer(batch); }

}  // namespace halvm::process
