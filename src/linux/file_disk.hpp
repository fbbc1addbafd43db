// SPDX-License-Identifier: BSD-3-Clause
// The device behind a file_block, which stays where it is while its handle moves: requests become parts, and parts go
// through an engine.
#pragma once

#include "file_engine.hpp"

#include <halvm/device/block.hpp>
#include <halvm/fiber/scheduler.hpp>
#include <halvm/fiber/spawn.hpp>
#include <halvm/linux/file_block.hpp>

#include <cstdint>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

namespace halvm::process {

/// A file descriptor with an owner.
class descriptor {
public:
    explicit descriptor(int number = -1) noexcept : number_{number} {}
    descriptor(descriptor&& other) noexcept : number_{std::exchange(other.number_, -1)} {}
    descriptor& operator=(descriptor&& other) noexcept {
        std::swap(number_, other.number_);
        return *this;
    }
    ~descriptor();
    [[nodiscard]] int number() const noexcept { return number_; }

private:
    int number_;
};

/// A call of transfer(), until all of it is done.
struct file_batch {
    std::size_t undone = 0;
    fiber::wait_queue done{"disk", true};
};

/// What was opened, and what is known of it.
struct opened_file {
    descriptor file;
    std::string path;
    block_info info{};
    bool device = false;          ///< a block device, not a file
    bool direct = false;          ///< past the page cache
    std::uint32_t alignment = 1;  ///< of memory, for that
};

class file_block::disk {
public:
    /// What makes an engine; `signal` is the eventfd that it signals.
    using engine_maker = result<std::unique_ptr<file_engine>> (*)(int signal);

    /// Takes the file over once there is an engine for it.
    static result<std::unique_ptr<disk>> make(opened_file& opened, engine_maker engine, bool ring);
    disk(opened_file opened, descriptor signal, std::unique_ptr<file_engine> engine, bool ring);
    ~disk();
    disk(const disk&) = delete;
    disk& operator=(const disk&) = delete;

    result<void> transfer(std::span<block_request> batch);

    [[nodiscard]] const block_info& info() const noexcept { return opened_.info; }
    [[nodiscard]] file_block_state state() const noexcept;

private:
    void ask(file_batch& batch, block_request& request);
    file_part& await_part();
    result<void> fill(file_part& one, std::uint64_t begin, std::uint64_t end);
    result<void> bounce(file_part& one, std::uint64_t begin, std::uint64_t end);
    file_engine* engine_of(file_operation operation);
    void publish() noexcept;
    void serve(const std::stop_token& stop);
    void drain() noexcept;
    void finish(file_part& one) noexcept;
    bool goes_on(file_part& one) noexcept;
    void release(file_part& one) noexcept;
    void measure() noexcept;
    [[nodiscard]] error failed(const block_request& request, int number) const noexcept;

    opened_file opened_;
    descriptor signal_;
    std::unique_ptr<file_engine> engine_;
    std::unique_ptr<file_engine> threads_;  // for what a ring cannot do, once that was asked for
    std::vector<file_part> parts_;
    file_part* free_ = nullptr;
    std::size_t under_way_ = 0;
    file_block_state state_;
    fiber::wait_queue freed_{"room in a disk's queue", true};
    std::stop_source stopping_;
    fiber::handle<void> server_;
};

}  // namespace halvm::process
