// SPDX-License-Identifier: BSD-3-Clause
#include "readiness.hpp"

#include <halvm/linux/readiness.hpp>
#include <halvm/panic.hpp>

#include <array>
#include <cerrno>
#include <ctime>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <system_error>
#include <unordered_map>
#include <utility>

namespace halvm::process {
namespace {

struct waits_for_descriptor {
    fiber::wait_queue readers{"a descriptor to read from", true};
    fiber::wait_queue writers{"a descriptor to write to", true};

    /// What epoll is to watch for now; it forgets the descriptor's events once it has told them.
    [[nodiscard]] std::uint32_t wanted() const noexcept {
        return (readers.empty() ? 0U : EPOLLIN | EPOLLRDHUP) | (writers.empty() ? 0U : EPOLLOUT);
    }
};

struct watcher {
    const int epoll = epoll_create1(EPOLL_CLOEXEC);
    std::unordered_map<int, waits_for_descriptor> of;
    std::size_t waiting = 0;
    int timer = -1;
    fiber::instant alarm = 0;  // that the timer is set to; it may have gone off

    // What epoll keeps of a descriptor is its number, or where its signal is.
    static constexpr std::uint64_t is_signal = std::uint64_t{1} << 63;
    static constexpr std::uint64_t is_timer = is_signal - 1;

    /// 0, or an errno.
    int watch(int descriptor, std::uint32_t events) noexcept {
        epoll_event wanted{.events = events | EPOLLONESHOT, .data = {.u64 = static_cast<unsigned>(descriptor)}};
        if (epoll_ctl(epoll, EPOLL_CTL_MOD, descriptor, &wanted) == 0)
            return 0;
        // A descriptor that was closed has left epoll by itself, and its number may have come back.
        if (errno == ENOENT && epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &wanted) == 0)
            return 0;
        return errno;
    }

    bool signal(int change, int descriptor, std::uint32_t events, ready_signal& to) noexcept {
        epoll_event wanted{.events = events, .data = {.u64 = reinterpret_cast<std::uint64_t>(&to) | is_signal}};
        return epoll_ctl(epoll, change, descriptor, &wanted) == 0;
    }

    /// Sees to it that look() returns at `deadline` at the latest: a little earlier is no harm, and deadlines mostly
    /// move on, so that the kernel's timer is set when one is nearer only. To set it for each wait costs as much as
    /// the wait.
    void limit(fiber::instant now, fiber::instant deadline) noexcept {
        if (timer < 0) {
            timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
            epoll_event wanted{.events = EPOLLIN | EPOLLET, .data = {.u64 = is_timer}};
            if (timer < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &wanted) != 0)
                panic("no timerfd(2) can be had");
        }
        if (deadline >= alarm && alarm > now)
            return;
        alarm = deadline;
        const itimerspec when{.it_interval = {},
                              .it_value = {.tv_sec = static_cast<time_t>(deadline / 1'000'000'000),
                                           .tv_nsec = static_cast<long>(deadline % 1'000'000'000)}};
        timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, nullptr);
    }

    void look(const timespec* limit) noexcept {
        std::array<epoll_event, 64> ready;
        const int count = epoll_pwait2(epoll, ready.data(), static_cast<int>(ready.size()), limit, nullptr);
        for (int i = 0; i < count; ++i) {
            const epoll_event& one = ready[static_cast<std::size_t>(i)];
            if (one.data.u64 == is_timer)
                continue;
            const bool failed = (one.events & (EPOLLERR | EPOLLHUP)) != 0;
            const bool readable = failed || (one.events & (EPOLLIN | EPOLLRDHUP)) != 0;
            const bool writable = failed || (one.events & EPOLLOUT) != 0;
            if ((one.data.u64 & is_signal) != 0) {
                reinterpret_cast<ready_signal*>(one.data.u64 & ~is_signal)->became(readable, writable);
                continue;
            }
            auto& waits = of.at(one.data.fd);
            if (readable)
                fiber::this_scheduler().signal_all(waits.readers);
            if (writable)
                fiber::this_scheduler().signal_all(waits.writers);
            if (const auto wanted = waits.wanted(); wanted != 0)
                watch(one.data.fd, wanted);
        }
    }
};

// Never destroyed: fibers may wait until the process is gone.
watcher& watched() {
    static auto& own = *new watcher;
    return own;
}
bool begun = false;

}  // namespace

bool readiness_awaited() noexcept { return begun && watched().waiting != 0; }

void readiness_poll() noexcept {
    if (!readiness_awaited())
        return;
    constexpr timespec at_once{};
    watched().look(&at_once);
}

void readiness_wait(fiber::instant now, fiber::instant deadline) noexcept {
    if (deadline <= now)
        return readiness_poll();
    if (deadline != fiber::never)
        watched().limit(now, deadline);
    watched().look(nullptr);
}

result<fiber::wake> wait_ready(int descriptor, direction which, const fiber::wait_limit& limit) noexcept {
    begun = true;
    auto& watcher = watched();
    auto& waits = watcher.of[descriptor];
    const std::uint32_t asked = which == direction::read ? EPOLLIN | EPOLLRDHUP : EPOLLOUT;
    if (const int status = watcher.watch(descriptor, waits.wanted() | asked); status == EPERM)
        return fiber::wake::signalled;  // A file that epoll does not know is always ready.
    else if (status != 0)
        return failure(error{std::error_code{status, std::generic_category()}, "wait for a descriptor"});
    ++watcher.waiting;
    const auto how = fiber::this_scheduler().wait(which == direction::read ? waits.readers : waits.writers, limit);
    --watcher.waiting;
    return how;
}

result<void> ready_signal::begin(int descriptor, fiber::wait_queue& readers, bool& noted) noexcept {
    begun = true;
    readers_ = &readers;
    noted_ = &noted;
    if (!watched().signal(EPOLL_CTL_ADD, descriptor, EPOLLIN, *this))
        return failure(error{std::error_code{errno, std::generic_category()}, "watch a descriptor"});
    descriptor_ = descriptor;
    ++watched().waiting;
    return {};
}

ready_signal::~ready_signal() {
    if (descriptor_ < 0)
        return;
    watched().signal(EPOLL_CTL_DEL, descriptor_, 0, *this);
    --watched().waiting;
}

void ready_signal::await_writable(fiber::wait_queue& writers) noexcept {
    writers_ = &writers;
    watched().signal(EPOLL_CTL_MOD, descriptor_, EPOLLIN | EPOLLOUT, *this);
}

void ready_signal::became(bool readable, bool writable) noexcept {
    if (readable) {
        *noted_ = true;
        fiber::this_scheduler().signal_all(*readers_);
    }
    if (writable && writers_ != nullptr) {
        fiber::this_scheduler().signal_all(*std::exchange(writers_, nullptr));
        watched().signal(EPOLL_CTL_MOD, descriptor_, EPOLLIN, *this);
    }
}

}  // namespace halvm::process
