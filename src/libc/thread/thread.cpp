// SPDX-License-Identifier: BSD-3-Clause
// There is one thread. Creating another fails with EAGAIN, which std::thread throws as
// std::errc::resource_unavailable_try_again, and at which std::async falls back to a deferred call.
#include <pthread.h>
#include <sched.h>

#include <cerrno>

extern "C" {

int pthread_create(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*) noexcept { return EAGAIN; }

int pthread_join(pthread_t thread, void**) { return thread == pthread_self() ? EDEADLK : ESRCH; }

int pthread_detach(pthread_t thread) noexcept { return thread == pthread_self() ? 0 : ESRCH; }

int sched_yield() noexcept { return 0; }
}
