// SPDX-License-Identifier: BSD-3-Clause
// Calls by io_uring(7): written into a ring that the kernel reads, answered in another.
#include "file_engine.hpp"

#include <halvm/panic.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <liburing.h>
#include <system_error>

namespace halvm::process {
namespace {

constexpr std::uint32_t entries = 64;

class ring_engine final : public file_engine {
public:
    ring_engine() = default;
    ~ring_engine() override {
        if (open_)
            io_uring_queue_exit(&ring_);
    }
    ring_engine(const ring_engine&) = delete;
    ring_engine& operator=(const ring_engine&) = delete;

    /// 0, or an errno.
    int open(int done) noexcept {
        if (const int status = io_uring_queue_init(entries, &ring_, 0); status < 0)
            return -status;
        open_ = true;
        io_uring_probe* const known = io_uring_get_probe_ring(&ring_);
        const bool enough = known != nullptr && std::ranges::all_of(operations, [&](int one) {
                                return io_uring_opcode_supported(known, one) != 0;
                            });
        io_uring_free_probe(known);
        return enough ? -io_uring_register_eventfd(&ring_, done) : ENOSYS;
    }

    [[nodiscard]] std::uint32_t depth() const noexcept override { return entries; }

    void begin(file_part& one) noexcept override {
        // There is an entry for each part that can be under way.
        io_uring_sqe* const entry = io_uring_get_sqe(&ring_);
        const iovec* const pieces = &one.pieces[one.first];
        switch (one.operation) {
        case file_operation::read: io_uring_prep_readv(entry, one.descriptor, pieces, one.count, one.offset); break;
        case file_operation::write: io_uring_prep_writev(entry, one.descriptor, pieces, one.count, one.offset); break;
        case file_operation::flush: io_uring_prep_fsync(entry, one.descriptor, IORING_FSYNC_DATASYNC); break;
        case file_operation::punch:
            io_uring_prep_fallocate(entry, one.descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                    static_cast<off_t>(one.offset), static_cast<off_t>(one.size));
            break;
        case file_operation::discard: io_uring_prep_nop(entry); break;  // there is no such call in rings
        }
        io_uring_sqe_set_data(entry, &one);
        ++unpublished_;
    }

    void publish() noexcept override {
        while (unpublished_ != 0) {
            const int taken = io_uring_submit(&ring_);
            if (taken >= 0)
                unpublished_ -= std::min(unpublished_, static_cast<unsigned>(taken));
            // Interrupted by a signal, or the kernel is short of memory: what else it may say is a mistake of ours.
            else if (taken != -EINTR && taken != -EAGAIN && taken != -EBUSY)
                panic("the kernel refuses io_uring_enter(2)");
        }
    }

    file_part* take() noexcept override {
        io_uring_cqe* answer = nullptr;
        if (io_uring_peek_cqe(&ring_, &answer) != 0)
            return nullptr;
        auto* const one = static_cast<file_part*>(io_uring_cqe_get_data(answer));
        one->result = answer->res;
        io_uring_cqe_seen(&ring_, answer);
        return one;
    }

private:
    static constexpr std::array operations{IORING_OP_READV, IORING_OP_WRITEV, IORING_OP_FSYNC, IORING_OP_FALLOCATE};

    io_uring ring_{};
    bool open_ = false;
    unsigned unpublished_ = 0;
};

}  // namespace

result<std::unique_ptr<file_engine>> make_ring_engine(int done) {
    auto made = std::make_unique<ring_engine>();
    if (const int status = made->open(done); status != 0)
        return failure(error{std::error_code{status, std::generic_category()}, "set up io_uring"});
    return made;
}

}  // namespace halvm::process
