// SPDX-License-Identifier: BSD-3-Clause
#include "file_disk.hpp"

#include <halvm/device/block_pieces.hpp>
#include <halvm/fiber/clock.hpp>
#include <halvm/linux/readiness.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace halvm::process {
namespace {

// More at once makes no disk faster, and keeps the parts of other fibers waiting.
constexpr std::uint64_t longest_part = std::uint64_t{1} << 20;
constexpr std::size_t service_stack = std::size_t{32} << 10;

bool moves_data(file_operation operation) noexcept {
    return operation == file_operation::read || operation == file_operation::write;
}

const char* attempt(block_operation operation) noexcept {
    switch (operation) {
    case block_operation::read: return "read from the disk";
    case block_operation::write: return "write to the disk";
    case block_operation::flush: return "flush the disk";
    case block_operation::discard: break;
    }
    return "discard sectors of the disk";
}

}  // namespace

descriptor::~descriptor() {
    if (number_ >= 0)
        close(number_);
}

result<std::unique_ptr<file_block::disk>> file_block::disk::make(opened_file& opened, engine_maker make, bool ring) {
    descriptor signal{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (signal.number() < 0)
        return failure(error{std::make_error_code(std::errc{errno}), "make an eventfd for a disk"});
    auto engine = make(signal.number());
    if (!engine)
        return failure(engine.error());
    return std::make_unique<disk>(std::move(opened), std::move(signal), std::move(*engine), ring);
}

file_block::disk::disk(opened_file opened, descriptor signal, std::unique_ptr<file_engine> engine, bool ring)
    : opened_{std::move(opened)},
      signal_{std::move(signal)},
      engine_{std::move(engine)},
      parts_(engine_->depth()),
      state_{.direct = opened_.direct, .ring = ring} {
    opened_.info.queue_depth = engine_->depth();
    for (file_part& one : parts_)
        release(one);
    server_ = fiber::spawn(
        [this] { serve(stopping_.get_token()); },
        {.name = "disk " + opened_.path.substr(opened_.path.rfind('/') + 1), .stack = service_stack, .service = true});
}

file_block::disk::~disk() {
    // The kernel still reads and writes the memory of what is under way.
    while (under_way_ != 0)
        fiber::this_scheduler().wait(freed_, {});
    stopping_.request_stop();
    server_.join();
}

file_block_state file_block::disk::state() const noexcept {
    auto now = state_;
    now.direct = opened_.direct;
    return now;
}

result<void> file_block::disk::transfer(std::span<block_request> batch) {
    file_batch call;
    for (block_request& one : batch)
        if (one.outcome = check(one, opened_.info); one.outcome)
            ask(call, one);
    publish();
    // What the kernel had at hand is there already.
    drain();
    while (call.undone != 0)
        fiber::this_scheduler().wait(call.done, {});
    return first_failure(batch);
}

/// Begins all parts of a request. Blocks while too many are under way.
void file_block::disk::ask(file_batch& batch, block_request& request) {
    const std::uint64_t sector = opened_.info.sector_size;
    const std::uint64_t end = size_of(request);
    std::uint64_t begin = 0;
    do {
        file_part& one = await_part();
        one.batch = &batch;
        one.request = &request;
        one.begin = begin;
        one.descriptor = opened_.file.number();
        one.offset = request.first * sector + begin;
        one.size = 0;
        one.first = one.count = 0;
        result<void> filled;
        switch (request.operation) {
        case block_operation::read:
        case block_operation::write: filled = fill(one, begin, end); break;
        case block_operation::flush: one.operation = file_operation::flush; break;
        case block_operation::discard:
            one.operation = opened_.device ? file_operation::discard : file_operation::punch;
            one.size = request.count * sector;
            break;
        }
        file_engine* const engine = filled ? engine_of(one.operation) : nullptr;
        if (engine == nullptr) {
            request.outcome = filled ? failure(failed(request, EOPNOTSUPP)) : filled;
            release(one);
            return;
        }
        begin += moves_data(one.operation) ? one.size : 0;
        ++batch.undone;
        ++under_way_;
        ++state_.parts;
        engine->begin(one);
    } while (begin < end);
}

file_part& file_block::disk::await_part() {
    while (free_ == nullptr) {
        publish();
        drain();
        if (free_ == nullptr)
            fiber::this_scheduler().wait(freed_, {});
    }
    return *std::exchange(free_, free_->next);
}

/// Makes `one` of what follows `begin`, up to `end` and to what a call can take.
result<void> file_block::disk::fill(file_part& one, std::uint64_t begin, std::uint64_t end) {
    one.operation = one.request->operation == block_operation::read ? file_operation::read : file_operation::write;
    one.direct = opened_.direct;
    const std::size_t alignment = opened_.direct ? opened_.alignment : 1;
    for_each_piece(*one.request, begin, std::min(end, begin + longest_part), [&](std::byte* data, std::size_t size) {
        if (one.count == file_part::most_pieces || reinterpret_cast<std::uintptr_t>(data) % alignment != 0)
            return std::size_t{0};
        one.pieces[one.count++] = {data, size};
        one.size += size;
        return size;
    });
    return one.size != 0 ? result<void>{} : bounce(one, begin, end);
}

/// The same through memory that is aligned.
result<void> file_block::disk::bounce(file_part& one, std::uint64_t begin, std::uint64_t end) {
    one.size = std::min(end - begin, longest_part);
    auto copy = memory_buffer::make(static_cast<std::size_t>(one.size));
    if (!copy)
        return failure(copy.error());
    const bytes data = one.bounce.emplace(std::move(*copy));
    if (one.operation == file_operation::write)
        copy_out(*one.request, begin, data);
    one.pieces[0] = {data.data(), data.size()};
    one.count = 1;
    ++state_.bounced;
    return {};
}

/// Rings have no call that discards sectors of a device; nullptr when there can be no thread for it.
file_engine* file_block::disk::engine_of(file_operation operation) {
    if (operation != file_operation::discard || !state_.ring)
        return engine_.get();
    if (!threads_)
        if (auto made = make_thread_engine(signal_.number(), 1))
            threads_ = std::move(*made);
    return threads_.get();
}

void file_block::disk::publish() noexcept { engine_->publish(); }

void file_block::disk::serve(const std::stop_token& stop) {
    for (;;) {
        const auto how = wait_ready(signal_.number(), direction::read, stop);
        // Without epoll, it is looked at from time to time.
        if (how ? *how == fiber::wake::stopped : !fiber::sleep(fiber::within(std::chrono::milliseconds{1}, stop)))
            return;
        // First the signal is taken back, then all that it may have stood for is looked at: what comes between signals
        // once more.
        eventfd_t count = 0;
        eventfd_read(signal_.number(), &count);
        drain();
    }
}

void file_block::disk::drain() noexcept {
    bool more = false;
    for (file_engine* const each : {engine_.get(), threads_.get()})
        while (file_part* const one = each == nullptr ? nullptr : each->take()) {
            if (goes_on(*one)) {
                ++state_.repeated;
                each->begin(*one);
                more = true;
            } else {
                finish(*one);
            }
        }
    if (more)
        publish();
}

/// Whether the part is to be asked for again, as it now is, because the kernel did it in part or not at all.
bool file_block::disk::goes_on(file_part& one) noexcept {
    if (one.result == -EINTR || one.result == -EAGAIN)
        return true;
    if (!moves_data(one.operation))
        return false;
    if (one.result == -EINVAL && one.direct) {
        // The file system has never been able to, or is so no more; the page cache always is.
        opened_.direct = one.direct = false;
        const int flags = fcntl(opened_.file.number(), F_GETFL);
        fcntl(opened_.file.number(), F_SETFL, flags & ~O_DIRECT);
        return true;
    }
    if (one.result < 0 || static_cast<std::uint64_t>(one.result) >= one.size)
        return false;
    const std::uint64_t sector = opened_.info.sector_size;
    std::uint64_t moved = static_cast<std::uint64_t>(one.result) / sector * sector;
    if (moved == 0)
        return false;
    one.offset += moved;
    one.size -= moved;
    while (moved != 0) {
        iovec& piece = one.pieces[one.first];
        const auto step = std::min<std::uint64_t>(moved, piece.iov_len);
        piece.iov_base = static_cast<std::byte*>(piece.iov_base) + step;
        piece.iov_len -= step;
        moved -= step;
        if (piece.iov_len == 0) {
            ++one.first;
            --one.count;
        }
    }
    return true;
}

void file_block::disk::finish(file_part& one) noexcept {
    block_request& request = *one.request;
    if (one.result < 0) {
        request.outcome = failure(failed(request, static_cast<int>(-one.result)));
    } else if (moves_data(one.operation) && static_cast<std::uint64_t>(one.result) < one.size) {
        // There is no such sector any more.
        measure();
        request.outcome = failure(failed(request, EIO));
    } else if (one.bounce && one.operation == file_operation::read) {
        copy_in(request, one.begin, std::as_const(*one.bounce));
    }
    file_batch& batch = *one.batch;
    --under_way_;
    release(one);
    fiber::this_scheduler().signal_all(freed_);
    if (--batch.undone == 0)
        fiber::this_scheduler().signal_all(batch.done);
}

void file_block::disk::release(file_part& one) noexcept {
    one.bounce.reset();
    one.next = std::exchange(free_, &one);
}

/// How long the file is now.
void file_block::disk::measure() noexcept {
    std::uint64_t size = 0;
    struct stat now {};
    if (opened_.device ? ioctl(opened_.file.number(), BLKGETSIZE64, &size) != 0
                       : fstat(opened_.file.number(), &now) != 0)
        return;
    if (!opened_.device)
        size = static_cast<std::uint64_t>(now.st_size);
    opened_.info.sectors = std::min(opened_.info.sectors, size / opened_.info.sector_size);
}

error file_block::disk::failed(const block_request& request, int number) const noexcept {
    return error{std::error_code{number, std::generic_category()}, attempt(request.operation), opened_.path};
}

}  // namespace halvm::process
