// SPDX-License-Identifier: BSD-3-Clause
// What src/arch/x86_64/interposed.S asks for.
#pragma once

#include <pthread.h>

extern "C" {

/// The thread whose calls are the fibers'; 0 before there is a scheduler.
extern pthread_t halvm_scheduler_thread;

/// What the C library, or a sanitizer in front of it, has under the name of a function that is interposed.
void* halvm_system_function(const char* name) noexcept;
}
