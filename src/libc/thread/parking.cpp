// SPDX-License-Identifier: BSD-3-Clause
#include "libc/thread/parking.hpp"

#include "libc/startup.hpp"

#include <halvm/fiber/scheduler.hpp>

#include <sys/single_threaded.h>

#include <array>
#include <cstdint>

namespace halvm::libc {
namespace {

struct bucket {
    parked* first = nullptr;
    parked* last = nullptr;
};

constexpr unsigned bucket_bits = 8;
constinit std::array<bucket, 1 << bucket_bits> buckets{};

bucket& bucket_of(const void* object) noexcept {
    // Fibonacci hashing: neighbours in memory come far apart.
    constexpr std::uint64_t golden = 0x9e37'79b9'7f4a'7c15;
    return buckets[reinterpret_cast<std::uintptr_t>(object) * golden >> (64 - bucket_bits)];
}

void append(parked& one) noexcept {
    bucket& at = bucket_of(one.object);
    one.previous = at.last;
    (at.last != nullptr ? at.last->next : at.first) = &one;
    at.last = &one;
}

void remove(parked& one) noexcept {
    bucket& at = bucket_of(one.object);
    (one.previous != nullptr ? one.previous->next : at.first) = one.next;
    (one.next != nullptr ? one.next->previous : at.last) = one.previous;
}

parked* first_of(const void* object) noexcept {
    parked* one = bucket_of(object).first;
    // One whose deadline came, but that has not run since, waits no more.
    while (one != nullptr && (one->object != object || one->queue.empty()))
        one = one->next;
    return one;
}

void wake(parked& one) noexcept {
    remove(one);
    fiber::this_scheduler().signal(one.queue);
}

void yield() noexcept { fiber::this_scheduler().yield(); }

constexpr parking_table table{append, remove, first_of, wake, yield};

}  // namespace

constinit const parking_table* parking = nullptr;

int park(const void* object, const char* what, const deadline& until, int mode) noexcept {
    if (!until.valid())
        return EINVAL;
    parked here{.object = object, .tid = own_tid(), .mode = mode, .queue = fiber::wait_queue{what}};
    // The only fiber is unparked by nobody, and waits for the time.
    const parking_table* const at = parking;
    if (at != nullptr)
        at->append(here);
    if (fiber::this_scheduler().wait(here.queue, fiber::wait_limit{until.instant()}) == fiber::wake::signalled)
        return 0;
    if (at != nullptr)
        at->remove(here);
    return until.passed() ? ETIMEDOUT : EAGAIN;
}

std::size_t unpark_all(const void* object, std::size_t most) noexcept {
    std::size_t count = 0;
    for (parked* one; count != most && (one = first_parked(object)) != nullptr; ++count)
        unpark(*one);
    return count;
}

void begin_fibers() noexcept {
    // libstdc++ leaves out what only several threads need while this is true.
    __libc_single_threaded = false;
    parking = &table;
}

}  // namespace halvm::libc
