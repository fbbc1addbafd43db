// SPDX-License-Identifier: BSD-3-Clause
// What the thread sanitizer learns of the order in which fibers go on. The primitives are inline, so their accesses are
// the program's to it, and it has to be told in the program too: all of this is empty unless the program that includes
// it is compiled with -fsanitize=thread.
#pragma once

#include <halvm/fiber/task.hpp>

#if defined(__SANITIZE_THREAD__)
#define HALVM_TELLS_ORDER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HALVM_TELLS_ORDER 1
#endif
#endif

#ifdef HALVM_TELLS_ORDER

#include <array>
#include <cstddef>

#include <sanitizer/tsan_interface.h>

namespace halvm::fiber::detail {

inline constexpr bool tells_order = true;

/// For as long as an operation on the objects takes: it comes after all those before it.
template <std::size_t Count>
class ordered {
public:
    explicit ordered(const auto&... objects) noexcept
        : objects_{const_cast<void*>(static_cast<const void*>(&objects))...} {
        for (void* one : objects_)
            __tsan_acquire(one);
    }
    ~ordered() {
        for (void* one : objects_)
            __tsan_release(one);
    }
    ordered(const ordered&) = delete;
    ordered& operator=(const ordered&) = delete;

private:
    std::array<void*, Count> objects_;
};
template <class... Objects>
ordered(const Objects&...) -> ordered<sizeof...(Objects)>;

/// For as long as a fiber waits in these places: operations on their queues come between.
class ordered_wait {
public:
    explicit ordered_wait(const waiter& first) noexcept : first_{first} {
        for (const waiter* place = &first_; place != nullptr; place = place->sibling)
            __tsan_release(place->queue);
    }
    explicit ordered_wait(wait_queue& only) noexcept : only_{.queue = &only}, first_{only_} { __tsan_release(&only); }
    ~ordered_wait() {
        for (const waiter* place = &first_; place != nullptr; place = place->sibling)
            __tsan_acquire(place->queue);
    }
    ordered_wait(const ordered_wait&) = delete;
    ordered_wait& operator=(const ordered_wait&) = delete;

private:
    waiter only_{};
    const waiter& first_;
};

}  // namespace halvm::fiber::detail

#undef HALVM_TELLS_ORDER
#else

namespace halvm::fiber::detail {

inline constexpr bool tells_order = false;

struct [[maybe_unused]] ordered {
    constexpr explicit ordered(const auto&...) noexcept {}
};
struct [[maybe_unused]] ordered_wait {
    constexpr explicit ordered_wait(const auto&) noexcept {}
};

}  // namespace halvm::fiber::detail

#endif
