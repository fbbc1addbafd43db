// SPDX-License-Identifier: BSD-3-Clause
// What a process keeps for each fiber beside its registers: the exceptions in flight and errno, which live in the
// thread's own storage. The sanitizers are told about the change of stacks.
#pragma once

#include <halvm/fiber/task.hpp>

#include <cerrno>
#include <cstring>
#include <cxxabi.h>
#include <sys/single_threaded.h>
#include <utility>

// clang says by __has_feature what g++ says by a macro.
#ifdef __has_feature
#if __has_feature(address_sanitizer) && !defined __SANITIZE_ADDRESS__
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

#ifdef __SANITIZE_ADDRESS__
#include <pthread.h>
#include <sanitizer/asan_interface.h>
#endif

namespace halvm::fiber {

/// libstdc++'s __cxa_eh_globals: the exceptions being handled, and how many are on their way. [Itanium C++ ABI 2.2.2]
struct exception_state {
    void* caught;
    unsigned uncaught;
    int error_number;  // takes the padding behind it in `task::kept`
};
static_assert(sizeof(exception_state) == sizeof(task::kept));

inline std::size_t machine_bytes() noexcept { return 0; }

// Where the thread keeps both; they stay there for its life. Looked up once, because a switch is the hot path.
inline exception_state* exception_globals = nullptr;
inline int* error_number = nullptr;
#ifdef __SANITIZE_ADDRESS__
inline stack_memory thread_stack;  // the first fiber's, of which its task knows nothing
#endif

inline void adopt_machine(task&) noexcept {
    exception_globals = reinterpret_cast<exception_state*>(abi::__cxa_get_globals());
    error_number = &errno;
#ifdef __SANITIZE_ADDRESS__
    pthread_attr_t attributes;
    void* base = nullptr;
    std::size_t size = 0;
    if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
        pthread_attr_getstack(&attributes, &base, &size);
        pthread_attr_destroy(&attributes);
    }
    thread_stack = {static_cast<std::byte*>(base), size, true};
#endif
}

// libstdc++ leaves out what only several threads need while this is true.
inline void begin_machine(task&, void*) noexcept { __libc_single_threaded = false; }

inline void end_machine(task&) noexcept {}

inline void leave_machine(task& from, task& to) noexcept {
    exception_state& globals = *exception_globals;
    exception_state kept{globals.caught, globals.uncaught, *error_number};
    std::memcpy(from.kept.data(), &kept, sizeof kept);
    std::memcpy(&kept, to.kept.data(), sizeof kept);
    globals.caught = kept.caught;
    globals.uncaught = kept.uncaught;
    *error_number = kept.error_number;
#ifdef __SANITIZE_ADDRESS__
    const stack_memory& there = to.stack.size == 0 ? thread_stack : to.stack;
    if (from.state == task_state::finished) {
        // Its frames are never returned from; whoever gets the stack next would meet their red zones.
        __asan_unpoison_memory_region(from.stack.base, from.stack.size);
        __sanitizer_start_switch_fiber(nullptr, there.base, there.size);
    } else {
        __sanitizer_start_switch_fiber(&from.sanitizer, there.base, there.size);
    }
#endif
}

inline void enter_machine([[maybe_unused]] task& self) noexcept {
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(self.sanitizer, nullptr, nullptr);
#endif
}

}  // namespace halvm::fiber
