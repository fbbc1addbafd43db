// SPDX-License-Identifier: BSD-3-Clause
// What carries out the calls of a disk (file_disk.hpp) without keeping the fibers: io_uring, or threads of the kernel.
#pragma once

#include <halvm/device/block.hpp>
#include <halvm/device/memory_buffer.hpp>
#include <halvm/result.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <sys/uio.h>

namespace halvm::process {

struct file_batch;

enum class file_operation : std::uint8_t { read, write, flush, punch, discard };

/// One call of the kernel: some bytes of a program's request.
struct file_part {
    static constexpr std::size_t most_pieces = 64;

    file_operation operation = file_operation::read;
    int descriptor = -1;
    std::uint64_t offset = 0;  ///< bytes
    std::uint64_t size = 0;    ///< bytes
    std::array<iovec, most_pieces> pieces;
    std::uint32_t first = 0;  ///< of the pieces that are still to be moved
    std::uint32_t count = 0;  ///< of them
    long result = 0;          ///< set by the engine: bytes, or minus an errno

    // The disk's own.
    file_batch* batch = nullptr;
    block_request* request = nullptr;
    std::uint64_t begin = 0;  ///< of its first byte in the request
    bool direct = false;
    std::optional<memory_buffer> bounce;
    file_part* next = nullptr;  ///< in the list that it is in: those that are free, or done
};

class file_engine {
public:
    virtual ~file_engine() = default;
    /// How many parts can be under way.
    [[nodiscard]] virtual std::uint32_t depth() const noexcept = 0;
    /// Takes a part, which stays where it is until take() returns it. Pre: fewer than depth() are under way.
    virtual void begin(file_part& one) noexcept = 0;
    /// Tells the kernel of the parts that were begun.
    virtual void publish() noexcept = 0;
    /// A part that is done; null when there is none. Never blocks.
    virtual file_part* take() noexcept = 0;
};

/// Each signals `done`, an eventfd, when parts are done; it outlives the engine.
/// Errors: what io_uring_setup(2) says, std::errc::function_not_supported when it is too old.
result<std::unique_ptr<file_engine>> make_ring_engine(int done);
/// Errors: what pipe(2) and pthread_create(3) say.
result<std::unique_ptr<file_engine>> make_thread_engine(int done, std::uint32_t threads);

}  // namespace halvm::process
