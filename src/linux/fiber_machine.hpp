// SPDX-License-Identifier: BSD-3-Clause
// What a process keeps for each fiber beside its registers: the exceptions in flight and errno, which live in the
// thread's own storage. A sanitizer, when the program is linked with one, is told about the change of stacks.
#pragma once

#include <halvm/fiber/task.hpp>

#include <cerrno>
#include <cstring>
#include <cxxabi.h>
#include <pthread.h>
#include <sanitizer/asan_interface.h>
#include <sanitizer/tsan_interface.h>
#include <sys/single_threaded.h>
#include <utility>

// Null in a program without that sanitizer. Not asked for by macro: this is compiled once, for programs of each kind.
#pragma weak __sanitizer_start_switch_fiber
#pragma weak __sanitizer_finish_switch_fiber
#pragma weak __asan_unpoison_memory_region
#pragma weak __tsan_get_current_fiber
#pragma weak __tsan_create_fiber
#pragma weak __tsan_destroy_fiber
#pragma weak __tsan_switch_to_fiber
#pragma weak __tsan_set_fiber_name
#pragma weak __tsan_acquire
#pragma weak __tsan_release

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

enum class sanitizer { none, address, thread };
inline sanitizer watching = sanitizer::none;
inline stack_memory thread_stack;  // the first fiber's, of which its task knows nothing

// What libc/thread has to do when a fiber ends, in a program that has it.
inline void (*at_end_of_fiber)() = nullptr;

/// The thread sanitizer is told that what happens before happens_before(object) happens before what comes after a later
/// happens_after(object). It learns of no order from the switches themselves, or it would find no race.
inline void happens_after(const void* object) noexcept {
    if (watching == sanitizer::thread)
        __tsan_acquire(const_cast<void*>(object));
}
inline void happens_before(const void* object) noexcept {
    if (watching == sanitizer::thread)
        __tsan_release(const_cast<void*>(object));
}

inline void adopt_machine(task& main) noexcept {
    exception_globals = reinterpret_cast<exception_state*>(abi::__cxa_get_globals());
    error_number = &errno;
    if (__tsan_switch_to_fiber != nullptr) {
        watching = sanitizer::thread;
        main.sanitizer = __tsan_get_current_fiber();
    } else if (__sanitizer_start_switch_fiber != nullptr && __asan_unpoison_memory_region != nullptr) {
        watching = sanitizer::address;
        pthread_attr_t attributes;
        void* base = nullptr;
        std::size_t size = 0;
        if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
            pthread_attr_getstack(&attributes, &base, &size);
            pthread_attr_destroy(&attributes);
        }
        thread_stack = {static_cast<std::byte*>(base), size, true};
    }
}

inline void begin_machine(task& one, void*) noexcept {
    // libstdc++ leaves out what only several threads need while this is true.
    __libc_single_threaded = false;
    if (watching == sanitizer::thread)
        one.sanitizer = __tsan_create_fiber(0);
}

/// Runs in the fiber that ends.
inline void end_machine(task& self) noexcept {
    if (self.key_values != nullptr)
        at_end_of_fiber();
}

/// Runs in another, when the fiber that has ended is forgotten.
inline void forget_machine(task& one) noexcept {
    if (watching == sanitizer::thread)
        __tsan_destroy_fiber(one.sanitizer);
}

inline void leave_machine(task& from, task& to) noexcept {
    exception_state& globals = *exception_globals;
    exception_state kept{globals.caught, globals.uncaught, *error_number};
    std::memcpy(from.kept.data(), &kept, sizeof kept);
    std::memcpy(&kept, to.kept.data(), sizeof kept);
    globals.caught = kept.caught;
    globals.uncaught = kept.uncaught;
    *error_number = kept.error_number;
    if (watching == sanitizer::none)
        return;
    if (watching == sanitizer::thread) {
        __tsan_set_fiber_name(to.sanitizer, to.name_text.data());
        __tsan_switch_to_fiber(to.sanitizer, __tsan_switch_to_fiber_no_sync);
        return;
    }
    const stack_memory& there = to.stack.size == 0 ? thread_stack : to.stack;
    if (from.state == task_state::finished) {
        // Its frames are never returned from; whoever gets the stack next would meet their red zones.
        __asan_unpoison_memory_region(from.stack.base, from.stack.size);
        __sanitizer_start_switch_fiber(nullptr, there.base, there.size);
    } else {
        __sanitizer_start_switch_fiber(&from.sanitizer, there.base, there.size);
    }
}

/// Whether each switch has to be followed by enter_machine().
inline bool announces_switches() noexcept { return watching == sanitizer::address; }

inline void enter_machine(task& self) noexcept {
    if (watching == sanitizer::address)
        __sanitizer_finish_switch_fiber(self.sanitizer, nullptr, nullptr);
}

}  // namespace halvm::fiber
