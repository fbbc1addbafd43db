// SPDX-License-Identifier: BSD-3-Clause
// feature: `pthread_cancel`; a `std::jthread` is asked to stop
// status: fails to link
// detail: pthread_cancel
#include <pthread.h>

int halvm_main() { return pthread_cancel(pthread_self()); }
