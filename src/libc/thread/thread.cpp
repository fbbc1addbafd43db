// SPDX-License-Identifier: BSD-3-Clause
// pthread_create() and pthread_join(): a thread is a fiber.
#include "libc/thread/thread.hpp"

#include "libc/thread/deadline.hpp"

#include <halvm/fiber/spawn.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <new>

namespace fiber = halvm::fiber;
namespace libc = halvm::libc;

namespace {

void end(fiber::task& base) noexcept { static_cast<libc::thread&>(base).~thread(); }

void name_after_number(libc::thread& one) noexcept {
    std::array<char, 24> name{"thread "};
    std::to_chars(name.data() + 7, name.data() + name.size() - 1, one.number);
    one.set_name(name.data());
}

/// As large as asked for, and never too small for what every fiber needs.
std::size_t stack_size(std::size_t wanted) noexcept {
    constexpr std::size_t spare = 2048;
    return std::max(wanted, fiber::machine_bytes() + sizeof(libc::thread) + spare);
}

/// Waits for the fiber's end. It is not to be joined twice, nor by itself, nor by one that it waits for.
int join(pthread_t handle, void** result, const libc::deadline& until) {
    libc::thread* const one = libc::thread_of(handle);
    auto& own = fiber::this_scheduler();
    if (handle == pthread_self())
        return EDEADLK;
    if (one == nullptr || one->released || one->awaited)
        return EINVAL;
    if (one->waits != nullptr && one->waits->queue == &own.current().joiners)
        return EDEADLK;
    if (!until.valid())
        return EINVAL;
    one->awaited = true;
    while (fiber::detail::wait_for_end(*one, fiber::wait_limit{until.instant()}) != fiber::wake::signalled) {
        if (until.passed()) {
            one->awaited = false;
            return ETIMEDOUT;
        }
    }
    if (result != nullptr)
        *result = one->result;
    own.release(*one);
    return 0;
}

}  // namespace

// Not to be caught: what leaves a thread's function ends the program.
void libc::run_thread(fiber::task& base) noexcept {
    auto& self = static_cast<thread&>(base);
    self.result = self.function(self.argument);
}

extern "C" {

int pthread_create(pthread_t* created, const pthread_attr_t* attributes, void* (*function)(void*),
                   void* argument) noexcept {
    std::size_t size = libc::standard_stack;
    std::size_t guard = libc::standard_guard;
    bool detached = false;
    if (attributes != nullptr) {
        const auto& wanted = *reinterpret_cast<const libc::thread_attributes*>(attributes);
        size = wanted.stack;
        guard = wanted.guard;
        detached = wanted.detached != 0;
    }
    void* place = nullptr;
    fiber::stack_memory stack;
    try {
        stack = fiber::detail::take_place({.stack = stack_size(size), .guarded = guard != 0}, sizeof(libc::thread),
                                          alignof(libc::thread), place);
    } catch (const std::bad_alloc&) {
        return EAGAIN;
    }
    auto& one = *new (place) libc::thread;
    one.stack = stack;
    one.body = libc::run_thread;
    one.destroy = end;
    one.function = function;
    one.argument = argument;
    fiber::this_scheduler().start(one);
    *created = libc::handle_of(one);
    name_after_number(one);
    if (detached)
        fiber::this_scheduler().release(one);
    return 0;
}

int pthread_join(pthread_t thread, void** result) { return join(thread, result, {}); }

int pthread_tryjoin_np(pthread_t thread, void** result) noexcept {
    const libc::thread* const one = libc::thread_of(thread);
    if (one != nullptr && one->state != fiber::task_state::finished)
        return EBUSY;
    return join(thread, result, {});
}

int pthread_timedjoin_np(pthread_t thread, void** result, const timespec* until) {
    return join(thread, result, {CLOCK_REALTIME, *until});
}

int pthread_clockjoin_np(pthread_t thread, void** result, clockid_t clock, const timespec* until) {
    return join(thread, result, {clock, *until});
}

int pthread_detach(pthread_t thread) noexcept {
    libc::thread* const one = libc::thread_of(thread);
    if (one == nullptr || one->released || one->awaited)
        return EINVAL;
    fiber::this_scheduler().release(*one);
    return 0;
}
}
