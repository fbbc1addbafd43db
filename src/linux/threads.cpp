// SPDX-License-Identifier: BSD-3-Clause
// The rest of what the calls of threads need in a process. The functions themselves are those of src/libc/thread, under
// names of their own: src/arch/x86_64/interposed.S chooses between them and the C library's.
#include "fibers.hpp"
#include "interposed.hpp"
#include "libc/exit_hooks.hpp"
#include "libc/startup.hpp"
#include "libc/thread/futex.hpp"
#include "libc/thread/parking.hpp"
#include "libc/thread/thread.hpp"

#include <halvm/panic.hpp>

#include <dlfcn.h>
#include <sys/syscall.h>

#include <cstdarg>

namespace libc = halvm::libc;
namespace fiber = halvm::fiber;

extern "C" {

void* halvm_system_function(const char* name) noexcept {
    void* const found = dlsym(RTLD_NEXT, name);
    if (found == nullptr)
        halvm::panic("the C library lacks a function of POSIX threads");
    return found;
}

pthread_t halvm_own_pthread_self() noexcept { return libc::handle_of(fiber::this_scheduler().current()); }

long halvm_own_syscall(long number, ...) noexcept {
    std::va_list given;
    va_start(given, number);
    long words[6];
    for (long& each : words)
        each = va_arg(given, long);
    va_end(given);
    if (number == SYS_futex)
        return libc::futex(reinterpret_cast<const int*>(words[0]), static_cast<int>(words[1]),
                           static_cast<int>(words[2]), reinterpret_cast<const timespec*>(words[3]));
    using function = long(long, ...);
    static constinit function* of_system = nullptr;
    if (of_system == nullptr)
        of_system = reinterpret_cast<function*>(halvm_system_function("syscall"));
    return of_system(number, words[0], words[1], words[2], words[3], words[4], words[5]);
}
}

namespace {

/// The first byte of a guard says that its object is there; that is what the compiler looks at. [Itanium C++ ABI 3.3.3]
struct guard {
    bool constructed;
    bool begun;
};

}  // namespace

// A sanitizer has its own of these, which keeps the thread, and with it all fibers, until the object is there.
extern "C" {

int halvm_own___cxa_guard_acquire(guard* object) noexcept {
    while (!object->constructed && object->begun)
        libc::park(object, "static object");
    libc::happens_after(object);
    if (object->constructed)
        return 0;
    object->begun = true;
    return 1;
}

void halvm_own___cxa_guard_release(guard* object) noexcept {
    libc::happens_before(object);
    __atomic_store_n(&object->constructed, true, __ATOMIC_RELEASE);
    libc::unpark_all(object);
}

void halvm_own___cxa_guard_abort(guard* object) noexcept {
    object->begun = false;
    libc::happens_before(object);
    libc::unpark_all(object);
}
}

// The thread sanitizer's: whatever seems to race in there is in order. Null without it.
extern "C" [[gnu::weak]] void AnnotateBenignRaceSized(const char* file, int line, const volatile void* where, long size,
                                                      const char* why);

void halvm::process::threads_start() noexcept {
    // Each fiber writes them before it reads them, in pthread_once().
    if (AnnotateBenignRaceSized != nullptr) {
        AnnotateBenignRaceSized(__FILE__, __LINE__, &std::__once_callable, sizeof std::__once_callable, "call_once");
        AnnotateBenignRaceSized(__FILE__, __LINE__, &std::__once_call, sizeof std::__once_call, "call_once");
    }
    fiber::at_end_of_fiber = libc::run_key_destructors;
    libc::begin_fibers();
    halvm_scheduler_thread = pthread_self();
}

pthread_t libc::handle_of(const fiber::task& one) noexcept {
    return one.number == 1 ? halvm_scheduler_thread : reinterpret_cast<pthread_t>(&one);
}

fiber::task& libc::task_of(pthread_t handle) noexcept {
    return handle == halvm_scheduler_thread ? fiber::this_scheduler().first() : *reinterpret_cast<fiber::task*>(handle);
}
