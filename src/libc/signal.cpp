// SPDX-License-Identifier: BSD-3-Clause
// signal() and raise(), of C's signals as far as C goes: nobody outside sends any, so a handler runs when the program
// itself raises its signal, and an unhandled one ends it.
#include "core/panic.hpp"
#include "libc/exit_hooks.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>

namespace {

sighandler_t handlers[NSIG];

bool exists(int number) noexcept { return number > 0 && number < NSIG; }

// What is ignored unless it is handled.
bool harmless(int number) noexcept {
    return number == SIGCHLD || number == SIGURG || number == SIGWINCH || number == SIGCONT;
}

}  // namespace

namespace halvm::libc {

void call_abort_handler() {
    const sighandler_t handler = handlers[SIGABRT];
    if (handler != SIG_DFL && handler != SIG_IGN)
        handler(SIGABRT);
}

}  // namespace halvm::libc

extern "C" {

sighandler_t signal(int number, sighandler_t handler) noexcept {
    if (!exists(number) || number == SIGKILL || number == SIGSTOP) {
        errno = EINVAL;
        return SIG_ERR;
    }
    const sighandler_t before = handlers[number];
    handlers[number] = handler;
    return before;
}

[[gnu::alias("signal")]] sighandler_t bsd_signal(int, sighandler_t) noexcept;
[[gnu::alias("signal")]] sighandler_t __sysv_signal(int, sighandler_t) noexcept;

int raise(int number) noexcept {
    if (!exists(number)) {
        errno = EINVAL;
        return -1;
    }
    const sighandler_t handler = handlers[number];
    if (handler == SIG_IGN || (handler == SIG_DFL && harmless(number)))
        return 0;
    if (handler == SIG_DFL)
        halvm::core::panic("raise: signal %d, %s", number, strsignal(number));
    handler(number);
    return 0;
}

// setjmp saves no signal mask because there is none.
int __sigsetjmp_tail(void*, int result) { return result; }
}
