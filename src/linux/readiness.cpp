// SPDX-License-Identifier: BSD-3-Clause
#include "readiness.hpp"

#include <halvm/linux/readiness.hpp>

#include <array>
#include <cerrno>
#include <ctime>
#include <sys/epoll.h>
#include <system_error>
#include <unordered_map>

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

    /// 0, or an errno.
    int watch(int descriptor, std::uint32_t events) noexcept {
        epoll_event wanted{.events = events | EPOLLONESHOT, .data = {.fd = descriptor}};
        if (epoll_ctl(epoll, EPOLL_CTL_MOD, descriptor, &wanted) == 0)
            return 0;
        // A descriptor that was closed has left epoll by itself, and its number may have come back.
        if (errno == ENOENT && epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &wanted) == 0)
            return 0;
        return errno;
    }

    void look(const timespec* limit) noexcept {
        std::array<epoll_event, 64> ready;
        const int count = epoll_pwait2(epoll, ready.data(), static_cast<int>(ready.size()), limit, nullptr);
        for (int i = 0; i < count; ++i) {
            const epoll_event& one = ready[static_cast<std::size_t>(i)];
            auto& waits = of.at(one.data.fd);
            const bool failed = (one.events & (EPOLLERR | EPOLLHUP)) != 0;
            if (failed || (one.events & (EPOLLIN | EPOLLRDHUP)) != 0)
                fiber::this_scheduler().signal_all(waits.readers);
            if (failed || (one.events & EPOLLOUT) != 0)
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
    if (deadline == fiber::never) {
        watched().look(nullptr);
        return;
    }
    const auto left = deadline > now ? deadline - now : 0;
    const timespec limit{.tv_sec = static_cast<time_t>(left / 1'000'000'000),
                         .tv_nsec = static_cast<long>(left % 1'000'000'000)};
    watched().look(&limit);
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

}  // namespace halvm::process
