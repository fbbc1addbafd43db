// SPDX-License-Identifier: BSD-3-Clause
// Calls by threads of the kernel's, which wait for them in the fibers' stead. They have all signals blocked and share
// nothing with the program but the parts: these go out by a pipe, and come back in a list that takes no lock.
#include "file_engine.hpp"
#include "interposed.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

namespace halvm::process {
namespace {

// A pipe holds this many in any case, so that begin() never waits.
constexpr std::uint32_t most_under_way = 64;

/// A function of the C library's own threads: under the plain names there are fibers.
template <class Function>
Function* of_system(const char* name, Function*) noexcept {
    return reinterpret_cast<Function*>(halvm_system_function(name));
}

long carry_out(const file_part& one) noexcept {
    const auto offset = static_cast<off_t>(one.offset);
    const iovec* const pieces = &one.pieces[one.first];
    const auto answer = [](long status) { return status < 0 ? -errno : status; };
    switch (one.operation) {
    case file_operation::read: return answer(preadv(one.descriptor, pieces, static_cast<int>(one.count), offset));
    case file_operation::write: return answer(pwritev(one.descriptor, pieces, static_cast<int>(one.count), offset));
    case file_operation::flush: return answer(fdatasync(one.descriptor));
    case file_operation::punch:
        return answer(fallocate(one.descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset,
                                static_cast<off_t>(one.size)));
    case file_operation::discard: break;
    }
    const std::array<std::uint64_t, 2> range{one.offset, one.size};
    return answer(ioctl(one.descriptor, BLKDISCARD, range.data()));
}

class thread_engine final : public file_engine {
public:
    explicit thread_engine(int done) noexcept : done_{done} {}
    ~thread_engine() override {
        // Who reads the pipe's end, ends.
        if (pipe_[1] >= 0)
            close(pipe_[1]);
        for (const pthread_t one : threads_)
            of_system("pthread_join", &pthread_join)(one, nullptr);
        if (pipe_[0] >= 0)
            close(pipe_[0]);
    }
    thread_engine(const thread_engine&) = delete;
    thread_engine& operator=(const thread_engine&) = delete;

    /// 0, or an errno.
    int open(std::uint32_t threads) {
        threads_.reserve(threads);
        if (pipe2(pipe_.data(), O_CLOEXEC) != 0)
            return std::exchange(pipe_, {-1, -1}), errno;
        sigset_t all;
        sigset_t before;
        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, &before);
        int status = 0;
        for (std::uint32_t i = 0; i < threads && status == 0; ++i) {
            pthread_t one{};
            status = of_system("pthread_create", &pthread_create)(&one, nullptr, work, this);
            if (status == 0)
                threads_.push_back(one);
        }
        sigprocmask(SIG_SETMASK, &before, nullptr);
        return threads_.empty() ? status : 0;
    }

    [[nodiscard]] std::uint32_t depth() const noexcept override { return most_under_way; }

    void begin(file_part& one) noexcept override {
        file_part* const sent = &one;
        while (::write(pipe_[1], &sent, sizeof sent) < 0) {}  // a signal came
    }
    void publish() noexcept override {}

    file_part* take() noexcept override {
        if (taken_ == nullptr)
            taken_ = finished_.exchange(nullptr, std::memory_order_acquire);
        return taken_ == nullptr ? nullptr : std::exchange(taken_, taken_->next);
    }

private:
    static void* work(void* engine) noexcept {
        auto& own = *static_cast<thread_engine*>(engine);
        file_part* one = nullptr;
        while (::read(own.pipe_[0], &one, sizeof one) == sizeof one) {
            one->result = carry_out(*one);
            one->next = own.finished_.load(std::memory_order_relaxed);
            while (!own.finished_.compare_exchange_weak(one->next, one, std::memory_order_release,
                                                        std::memory_order_relaxed)) {}
            eventfd_write(own.done_, 1);
        }
        return nullptr;
    }

    int done_;
    std::array<int, 2> pipe_{-1, -1};
    std::vector<pthread_t> threads_;
    std::atomic<file_part*> finished_ = nullptr;
    file_part* taken_ = nullptr;  // of those finished, what the scheduler's thread has taken over
};

}  // namespace

result<std::unique_ptr<file_engine>> make_thread_engine(int done, std::uint32_t threads) {
    auto made = std::make_unique<thread_engine>(done);
    if (const int status = made->open(threads); status != 0)
        return failure(error{std::error_code{status, std::generic_category()}, "start threads for a disk"});
    return made;
}

}  // namespace halvm::process
