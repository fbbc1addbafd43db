// SPDX-License-Identifier: BSD-3-Clause
// pthread_exit(): the calls of the thread are unwound, so that destructors run, and what it returns is its result. The
// main thread then waits until all other fibers have ended, as POSIX has it, and exits the program.
#include "fiber/report.hpp"
#include "libc/exit_hooks.hpp"
#include "libc/thread/thread.hpp"

#include <halvm/fiber/scheduler.hpp>
#include <halvm/panic.hpp>

#include <cstdlib>
#include <new>
#include <pthread.h>
#include <unwind.h>

namespace fiber = halvm::fiber;
namespace libc = halvm::libc;

namespace {

struct leaving {
    _Unwind_Exception header;  // must stay first
    void* result;
};

void wait_for_all_others() noexcept {
    auto& own = fiber::this_scheduler();
    for (;;) {
        fiber::task* other = nullptr;
        own.for_each([&](const fiber::task& one) {
            if (&one != &own.current() && !one.service && one.state != fiber::task_state::finished)
                other = const_cast<fiber::task*>(&one);
        });
        if (other == nullptr)
            return;
        own.wait(other->joiners, {});
    }
}

[[noreturn]] void finish(void* result) noexcept {
    if (libc::thread* const self = libc::thread_of(pthread_self())) {
        self->result = result;
        fiber::this_scheduler().finish();
    }
    libc::end_of_fiber();
    wait_for_all_others();
    std::exit(EXIT_SUCCESS);
}

/// Called for each frame on the way, before its destructors run.
_Unwind_Reason_Code visit(int, _Unwind_Action actions, _Unwind_Exception_Class, _Unwind_Exception* header,
                          _Unwind_Context* context, void*) {
    if ((actions & _UA_END_OF_STACK) == 0 &&
        _Unwind_GetRegionStart(context) != reinterpret_cast<std::uintptr_t>(&libc::run_thread))
        return _URC_NO_REASON;
    auto* const one = reinterpret_cast<leaving*>(header);
    void* const result = one->result;
    std::free(one);
    finish(result);
}

void caught(_Unwind_Reason_Code, _Unwind_Exception*) {
    halvm::panic("pthread_exit() was caught by a catch (...) that does not throw it on");
}

}  // namespace

extern "C" [[noreturn]] void pthread_exit(void* result) {
    const fiber::task& self = fiber::this_scheduler().current();
    if (libc::thread_of(pthread_self()) == nullptr && self.stack.size != 0)
        fiber::broken_rule("called in a fiber that pthread_create() did not make", "pthread_exit()");
    // Not on this stack, which destructors on the way will use.
    void* const memory = std::malloc(sizeof(leaving));
    if (memory == nullptr)
        halvm::panic("out of memory in pthread_exit()");
    auto* const one = new (memory) leaving{{}, result};
    one->header.exception_cleanup = caught;
    _Unwind_ForcedUnwind(&one->header, visit, nullptr);
    halvm::panic("pthread_exit() met a function that cannot be unwound");
}
