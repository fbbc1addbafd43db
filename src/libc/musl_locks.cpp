// SPDX-License-Identifier: BSD-3-Clause
// The lock that musl's objects put around their lists (exit functions, open streams, locale names). It has nothing to
// keep out: fibers switch only where they wait, and no object of musl waits while it holds one.

extern "C" {

void __lock(volatile int*) {}
void __unlock(volatile int*) {}
}
